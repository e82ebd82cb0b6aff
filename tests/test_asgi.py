"""The ASGI door where it differs: many requests at once in one loop, and bodies that come in pieces."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import MutableMapping
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.web.apart import LARGE_BYTES
from gateway.web.deadlines import Limits
from gateway.web.door import Door as DoorOfAll
from gateway.web.http_protocol import GatewayProtocol
from gateway.web.request_head import RequestHead
from tests.door import JSON, Door
from tests.samples import EVENT

LIMIT = 1_048_576


@pytest.fixture
def small() -> Door:
    return Door(max_in_flight_bytes=str(LIMIT))


class Request:
    """One request, whose body comes when the test says so."""

    def __init__(self, door: Door) -> None:
        self._pieces: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._sent: list[MutableMapping[str, Any]] = []
        headers = [(b"host", b"x"), (b"content-type", JSON.encode()), (b"transfer-encoding", b"chunked")]
        scope = {"type": "http", "method": "POST", "path": "/events", "query_string": b"", "headers": headers}
        self._task = asyncio.create_task(door.gateway.asgi(scope, self._pieces.get, self._send))

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self._sent.append(message)

    async def feed(self, piece: bytes, *, more: bool = True) -> None:
        """Give a piece, and time to read it."""
        self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": more})
        for _ in range(3):
            await asyncio.sleep(0)

    async def answer(self) -> tuple[int, dict[str, Any]]:
        await asyncio.wait_for(self._task, 60)
        return self._sent[0]["status"], json.loads(self._sent[1]["body"])


def test_large_bodies_that_are_half_read_are_bounded_and_small_ones_still_come_in(small: Door) -> None:
    async def send() -> None:
        first, second = Request(small), Request(small)
        await first.feed(b" " * 900_000)
        await second.feed(b" " * 900_000)
        assert (await second.answer())[1]["type"] == "overloaded"
        third = Request(small)
        await third.feed(EVENT[:9])
        await third.feed(EVENT[9:], more=False)
        assert (await third.answer())[0] == 202
        await first.feed(EVENT, more=False)
        assert (await first.answer())[0] == 202
        fourth = Request(small)  # what the others held is free again
        await fourth.feed(b" " * 900_000)
        await fourth.feed(EVENT, more=False)
        assert (await fourth.answer())[0] == 202

    asyncio.run(send())
    metrics = small.client.get("/metrics").text
    assert 'gateway_events_total{outcome="failed",reason="overloaded",system="unknown"} 1.0' in metrics
    assert 'gateway_request_seconds_count{status="503"} 1.0' in metrics


def test_a_request_whose_sender_has_gone_is_refused(small: Door) -> None:
    async def send() -> None:
        request = Request(small)
        await request.feed(EVENT)
        request._pieces.put_nowait({"type": "http.disconnect"})
        assert (await request.answer())[1]["type"] == "malformed-body"

    asyncio.run(send())
    assert small.published == []


def test_a_hundred_requests_at_once_are_each_answered(small: Door) -> None:
    async def send() -> list[tuple[int, dict[str, Any]]]:
        requests = [Request(small) for _ in range(100)]
        for request in requests:
            await request.feed(EVENT[:9])
        for request in requests:
            await request.feed(EVENT[9:], more=False)
        return [await request.answer() for request in requests]

    answers = asyncio.run(send())
    assert [status for status, _ in answers] == [202] * 100
    offsets = [told["events"][0]["offset"] for _, told in answers]
    assert sorted(offsets) == sorted(set(offsets))


def test_a_large_body_is_worked_on_beside_the_loop_and_a_small_one_is_not(
    small: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    take = DoorOfAll.take

    def noting(*given: Any) -> Any:
        threads.append(threading.current_thread().name)
        return take(*given)

    monkeypatch.setattr(DoorOfAll, "take", noting)
    usual = sys.getswitchinterval()

    async def send() -> list[int]:
        requests = [Request(small), Request(small)]
        await requests[0].feed(EVENT + b" " * LARGE_BYTES, more=False)
        await requests[1].feed(EVENT, more=False)
        return [(await request.answer())[0] for request in requests]

    assert asyncio.run(send()) == [202, 202]
    assert sorted(name.partition("_")[0] for name in threads) == ["MainThread", "large-bodies"]
    assert sys.getswitchinterval() == usual


def raising(*_: object, **__: object) -> None:
    raise RuntimeError("a bug")


def test_a_bug_in_the_parsing_of_a_head_is_told_as_ours(
    small: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(RequestHead, "check", raising)

    async def ask() -> bytes:
        config = Config(small.gateway.asgi, lifespan="off", log_config=None)
        config.load()
        state, limits = ServerState(), Limits(10, 10, 10)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: GatewayProtocol(limits, None, config, state, {}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        told = await reader.read()
        writer.close()
        server.close()
        return told

    told = asyncio.run(ask())
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b'"type":"internal-error"' in told
    assert "a bug" in caplog.text
