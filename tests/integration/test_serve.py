"""``gateway serve`` as a process: gunicorn, signals, the local log, and real bytes on a socket."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import GatewayProcess, command, serving, until

EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "c"}'


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with serving(tmp_path) as process:
        yield process


def raw(gateway: GatewayProcess, request: bytes) -> bytes:
    """Send bytes as they are and read until the gateway closes or pauses."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


HEAD = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def announced(length: int, body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % length + body


def chunked(body: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def published(folder: Path) -> list[dict[str, object]]:
    printed = command(["tail", "--from-start", "--no-follow"], folder)
    return [json.loads(line) for line in printed.splitlines()]


def test_an_event_is_read_back_in_one_shape(gateway: GatewayProcess, tmp_path: Path) -> None:
    receipt = gateway.send("POST", "/events", EVENT).json["events"][0]
    (record,) = published(tmp_path)
    assert (record["topic"], record["key"], record["offset"]) == (
        receipt["topic"],
        receipt["key"],
        receipt["offset"],
    )


def test_sigterm_ends_it_cleanly_after_the_request_under_way(tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(announced(len(EVENT), EVENT[:-1]))
            until(lambda: gateway.get("/livez").status == 200, 5, "the worker to be busy with the request")
            gateway.process.send_signal(signal.SIGTERM)
            connection.sendall(EVENT[-1:])
            assert b" 202 " in connection.recv(65_536).splitlines()[0]
        assert gateway.stop() == 0
    assert len(published(tmp_path)) == 1


def test_many_senders_at_once_lose_nothing(gateway: GatewayProcess, tmp_path: Path) -> None:
    statuses: list[int] = []

    def send(sender: int) -> None:
        for number in range(25):
            body = json.dumps({"event_name": f"s{sender}", "event_action": str(number), "team_id": "t"})
            statuses.append(gateway.send("POST", "/events", body.encode()).status)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert statuses == [202] * 200
    assert len(published(tmp_path)) == 200


PACKED = gzip.compress(EVENT)
BODIES = {
    "packed": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
        202,
        b'"outcome":"published"',
    ),
    "chunked": (chunked(chunk(EVENT) + chunk(b"")), 202, b'"outcome":"published"'),
    "chunked-too-large": (chunked(chunk(b"x" * 2_000_000) + chunk(b"")), 413, b"too-large"),
    "chunk-size-is-no-number": (chunked(b"zz\r\nxx\r\n0\r\n\r\n"), 400, b"malformed-body"),
    "shorter-than-announced": (announced(500, b"{}"), 400, b"incomplete-body"),
    "announced-too-large": (announced(99_999_999, b""), 413, b"too-large"),
}


@pytest.mark.parametrize(("request_bytes", "status", "problem"), BODIES.values(), ids=BODIES)
def test_bodies_are_read_whole_or_refused(
    gateway: GatewayProcess, request_bytes: bytes, status: int, problem: bytes
) -> None:
    answer = raw(gateway, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert problem in answer
