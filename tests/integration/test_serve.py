"""``gateway serve`` as a process: gunicorn, signals, the local log, and real bytes on a socket."""

from __future__ import annotations

import gzip
import json
import re
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


# -- HTTP at both doors -------------------------------------------------------------------------------------

GOOD = announced(len(EVENT), EVENT)
LAST = GOOD.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")
CHUNKS = b"%x;a=b\r\n%s\r\n0\r\nX-A: b\r\n\r\n" % (len(EVENT), EVENT)
UPGRADE = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"


@pytest.fixture(scope="module", params=["asgi", "flask"])
def either(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[GatewayProcess]:
    with serving(tmp_path_factory.mktemp("gateway"), door=request.param) as process:
        yield process


SPOKEN = {
    "three at once are answered in turn": (GOOD + GOOD.replace(b"POST", b"PUT") + LAST, [202, 405, 202]),
    "HTTP/1.0": (GOOD.replace(b"/1.1", b"/1.0"), [202]),
    "an absolute target": (LAST.replace(b" /events", b" http://x/events"), [202]),
    "an upgrade is not taken up": (LAST.replace(b"Host: x\r\n", UPGRADE), [202]),
    "nor in chunks": (chunked(chunk(EVENT) + chunk(b"")).replace(b"Host: x\r\n", UPGRADE), [202]),
    "nor before another": (GOOD.replace(b"Host: x\r\n", UPGRADE) + LAST, [202, 202]),
    "chunks with extensions and a trailer": (chunked(CHUNKS), [202]),
    "an empty line in front": (b"\r\n" + LAST, [202]),
    "HEAD": (b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [200]),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "statuses"), SPOKEN.values(), ids=SPOKEN)
def test_http_is_spoken_alike_at_both_doors(either: GatewayProcess, sent: bytes, statuses: list[int]) -> None:
    answer = raw(either, sent)
    assert [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d+) ", answer)] == statuses, answer
    assert len(re.findall(rb"(?i)\r\ndate: ", answer)) == len(statuses)
    assert sent[:4] != b"HEAD" or answer.endswith(b"\r\n\r\n")


def test_who_asks_first_is_told_to_go_on_or_what_is_wrong(either: GatewayProcess) -> None:
    for length, told in ((len(EVENT), b"HTTP/1.1 100 "), (99_999_999, b"HTTP/1.1 413 ")):
        with socket.create_connection(("127.0.0.1", either.port), timeout=30) as connection:
            connection.sendall(announced(length, b"").replace(b"Host", b"Expect: 100-continue\r\nHost"))
            answer = connection.recv(65_536)
            go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
            if told == b"HTTP/1.1 413 " and answer.startswith(go_on):  # gunicorn says it first
                answer = answer.removeprefix(go_on) or connection.recv(65_536)
            assert answer.startswith(told)
            if told == b"HTTP/1.1 100 ":
                connection.sendall(EVENT)
                assert connection.recv(65_536).startswith(b"HTTP/1.1 202 ")


def test_a_trailer_lets_nobody_in(either: GatewayProcess) -> None:
    hidden = b"%x\r\n%s\r\n0\r\nContent-Encoding: br\r\nce-id: x\r\n\r\n" % (len(EVENT), EVENT)
    assert b"HTTP/1.1 202 " in raw(either, chunked(hidden))


def test_nonsense_behind_good_requests_does_not_cost_them_their_answers(either: GatewayProcess) -> None:
    answer = raw(either, GOOD + GOOD + b"\0nonsense\r\n\r\n")
    assert answer.count(b"HTTP/1.1 202 ") == 2
