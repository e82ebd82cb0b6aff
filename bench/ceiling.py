"""The ceiling: the same HTTP server and the same Kafka client, and nothing between them.

The body is published unread, a batch in as many slices as it has events, and answered after Kafka's
acknowledgement. Nothing that reads, checks or maps an event can be faster on this machine.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from confluent_kafka import Producer
from kafka import KafkaProducer

from bench.baselines import BROKERS
from bench.bodies import TOPIC

CLIENT, EVENT_BYTES = "BENCH_CLIENT", "BENCH_EVENT_BYTES"
# How often librdkafka is asked for acknowledgements while some are awaited, in the loop's own thread.
_POLL_SECONDS = 0.0003

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Client(Protocol):
    """One Kafka client in an event loop."""

    def publish(self, values: Sequence[bytes]) -> asyncio.Future[None]:
        """Send all; done when all are acknowledged."""


class Librdkafka:
    """confluent-kafka, asked for its acknowledgements by the loop itself: no thread, no wake-up."""

    def __init__(self, brokers: str) -> None:
        self._producer = Producer(
            {"bootstrap.servers": brokers, "acks": "all", "enable.idempotence": True, "linger.ms": 1}
        )
        self._waiting = 0

    def publish(self, values: Sequence[bytes]) -> asyncio.Future[None]:
        """Send all; done when all are acknowledged."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = len(values)

        def acknowledged(error: object, _message: object) -> None:
            nonlocal left
            left -= 1
            self._waiting -= 1
            if not left or error is not None:
                _finish(done, error)

        if not self._waiting:
            asyncio.get_running_loop().call_later(_POLL_SECONDS, self._poll)
        self._waiting += left
        for value in values:
            self._producer.produce(TOPIC, value, on_delivery=acknowledged)
        return done

    def _poll(self) -> None:
        self._producer.poll(0)
        if self._waiting:
            asyncio.get_running_loop().call_later(_POLL_SECONDS, self._poll)


class KafkaPython:
    """kafka-python, set for speed as the gateway sets it; one wake-up of the loop a request."""

    def __init__(self, brokers: str) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=brokers.split(","),
            acks="all",
            enable_idempotence=False,
            linger_ms=1,
            batch_size=262_144,
        )

    def publish(self, values: Sequence[bytes]) -> asyncio.Future[None]:
        """Send all; done when all are acknowledged."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        left = len(values)
        # Called in the client's thread, or here when the acknowledgement was faster than this line.
        lock = threading.Lock()

        def acknowledged(error: object) -> None:
            nonlocal left
            with lock:
                left -= 1
            if not left or error is not None:
                loop.call_soon_threadsafe(_finish, done, error)

        for value in values:
            future = self._producer.send(TOPIC, value)
            future.add_callback(lambda _: acknowledged(None)).add_errback(acknowledged)
        return done


def _finish(done: asyncio.Future[None], error: object) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(RuntimeError(str(error)))


class Application:
    """ASGI. The client is made with the first request, in the worker's own loop."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._event_bytes = int(os.environ[EVENT_BYTES])

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Send) -> None:
        """Answer one request; GET says that it runs."""
        if scope["type"] != "http":
            return
        if scope["method"] == "POST":
            client = self._client or self._connect()
            body = await _body(receive)
            await client.publish(list(self._slices(body)))
            await _answer(send, 202)
        else:
            await _answer(send, 200)

    def _connect(self) -> Client:
        brokers = os.environ[BROKERS]
        chosen: Client = Librdkafka(brokers) if os.environ[CLIENT] == "librdkafka" else KafkaPython(brokers)
        self._client = chosen
        return chosen

    def _slices(self, body: bytes) -> Iterator[bytes]:
        """An event as it is; a batch by the length of its events, which the bench knows."""
        if body[:1] != b"[":
            yield body
            return
        for start in range(1, len(body), self._event_bytes + 1):
            yield body[start : start + self._event_bytes]


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
