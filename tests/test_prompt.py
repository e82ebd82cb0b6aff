"""Requests that come whole: taken at once, and answered as those that come in pieces."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.model import Outcome, Placement
from gateway.web import answers, prompt
from gateway.web import door as doors
from gateway.web.deadlines import Limits
from gateway.web.http_protocol import GatewayProtocol
from tests.door import JSON, Door
from tests.samples import EVENT

FRESH = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[0-9:.]+Z|\"offset\":\d+")
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request(body: bytes = EVENT, path: str = "/events", more: str = "") -> bytes:
    length = f"Content-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n{length}{more}\r\n".encode() + body


def kept_open(told: list[bytes]) -> list[bytes]:
    """Without what is said of the connection: one that is refused before its body is here is the last."""
    return [answer.replace(b"connection: close\r\n", b"") for answer in told]


def published(door: Door) -> list[bytes]:
    return [FRESH.sub(b"", record.value) for record in door.publisher.records]


@asynccontextmanager
async def connected(door: Door) -> AsyncIterator[Client]:
    """A connection to a server of the worker's protocol; that must answer within 60 s."""
    config, state = Config(door.gateway.asgi, lifespan="off", log_config=None), ServerState()
    config.load()
    asgi, limits, loop = door.gateway.asgi, Limits(60, 60, 10), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GatewayProtocol(limits, asgi.prompt, config, state, {}), "127.0.0.1", 0
    )
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()
        server.close()


async def read(client: Client) -> bytes:
    """One answer, without what is new in each."""
    head = await client[0].readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return FRESH.sub(b"<fresh>", head + await client[0].readexactly(int(length[1]) if length else 0))


async def asked(door: Door, *segments: bytes, count: int = 1) -> list[bytes]:
    async with connected(door) as client:
        for segment in segments:
            client[1].write(segment)
            await asyncio.sleep(0.01)
        return [await read(client) for _ in range(count)]


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(request(), id="event"),
        pytest.param(request(b"{}"), id="refused"),
        pytest.param(request(b""), id="empty"),
        pytest.param(request(b"x" * 2_000_000), id="too-large"),
        pytest.param(request(path="/events/incidents"), id="another-system"),
        pytest.param(request(path="/nowhere"), id="no-such-path"),
        pytest.param(request(more="Connection: close\r\n"), id="close"),
        pytest.param(request(more="Content-Encoding: gzip\r\n"), id="no-gzip"),
        pytest.param(request(more="Content-Encoding: br\r\n"), id="coding"),
    ],
)
def test_the_answer_is_that_of_a_request_in_pieces(whole: bytes) -> None:
    at_once, in_pieces = Door(), Door()
    one = asyncio.run(asked(at_once, whole))
    head, _, body = whole.partition(b"\r\n\r\n")
    other = asyncio.run(asked(in_pieces, head + b"\r\n\r\n" + body[:1], body[1:]))
    assert kept_open(one) == kept_open(other)
    values = [
        [FRESH.sub(b"", record.value) for record in door.publisher.records] for door in (at_once, in_pieces)
    ]
    assert values[0] == values[1]


def test_many_requests_in_one_segment_are_answered_in_their_order() -> None:
    door = Door()
    bad, good = request(b"{}"), request()
    told = asyncio.run(asked(door, good + bad + good + bad, count=4))
    assert [answer[9:12] for answer in told] == [b"202", b"422", b"202", b"422"]
    assert len(door.published) == 2


def test_requests_of_many_connections_are_taken_though_a_slice_is_too_short_for_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prompt, "SLICE_SECONDS", -1.0)
    door = Door()

    async def ask() -> list[bytes]:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(door)) for _ in range(10)]
            for _, writer in clients:
                writer.write(request())
            return [await read(client) for client in clients]

    assert [answer[9:12] for answer in asyncio.run(ask())] == [b"202"] * 10
    assert len(door.published) == 10


def test_a_request_behind_one_that_waits_for_kafka_is_answered_after_it() -> None:
    door = Door()
    door.publisher.silent = True

    async def ask() -> list[bytes]:
        async with connected(door) as client:
            client[1].write(request() + request(b"{}"))
            await asyncio.sleep(0.05)
            door.publisher.unanswered[0].succeed((Placement(Outcome.PUBLISHED, 0, 7),))
            return [await read(client), await read(client)]

    assert [answer[9:12] for answer in asyncio.run(ask())] == [b"202", b"422"]


def test_what_nobody_answers_is_unavailable_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()
    door.publisher.silent = True
    monkeypatch.setattr(door.gateway.door, "longest_wait", 0.05)
    told = asyncio.run(asked(door, request(), request(), count=2))
    assert [answer[9:12] for answer in told] == [b"503", b"503"]
    assert b'"type":"unavailable"' in told[0]
    door.publisher.unanswered[0].succeed((Placement(Outcome.PUBLISHED, 0, 7),))  # hurts nobody


def test_an_answer_that_cannot_be_sent_holds_up_nobody_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several wait to be taken when the first of them breaks what sends its answer."""
    door = Door()
    send, broken = answers.on_the_wire, iter((True,))

    def breaking(*given: Any, **more: Any) -> bytes:
        if next(broken, False):
            raise RuntimeError("a bug")
        return send(*given, **more)

    monkeypatch.setattr(answers, "on_the_wire", breaking)

    async def ask() -> list[bytes]:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(door)) for _ in range(5)]
            for _, writer in clients:
                writer.write(request())
            return [await read(client) for client in clients[1:]]

    assert [answer[9:12] for answer in asyncio.run(ask())] == [b"202"] * 4


def test_who_was_answered_late_is_no_longer_given_way_to(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()
    door.publisher.silent = True
    monkeypatch.setattr(door.gateway.door, "longest_wait", 0.05)
    asyncio.run(asked(door, request()))
    assert door.gateway.asgi.prompt.turns.waiting == 0
    door.publisher.unanswered[0].succeed((Placement(Outcome.PUBLISHED, 0, 7),))
    assert door.gateway.asgi.prompt.turns.waiting == 0


def test_a_bug_is_told_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object) -> None:
        raise RuntimeError("a bug")

    door = Door()
    monkeypatch.setattr(doors.Door, "arrive", raising)
    (answer,) = asyncio.run(asked(door, request()))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"type":"internal-error"' in answer


def test_a_client_that_is_gone_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    door.publisher.silent = True

    async def leave() -> None:
        async with connected(door) as client:
            client[1].write(request())
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        door.publisher.unanswered[0].succeed((Placement(Outcome.PUBLISHED, 0, 7),))
        await asyncio.sleep(0.05)

    with caplog.at_level(logging.WARNING):
        asyncio.run(leave())
    assert not caplog.records


def test_a_client_that_half_closes_still_gets_its_answer() -> None:
    door = Door()
    door.publisher.silent = True

    async def half_close() -> bytes:
        async with connected(door) as client:
            client[1].write(request())
            client[1].write_eof()
            await asyncio.sleep(0.05)
            door.publisher.unanswered[0].succeed((Placement(Outcome.PUBLISHED, 0, 7),))
            return await client[0].read()

    answer = asyncio.run(half_close())
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"connection: close\r\n" in answer
