"""Clients that stall, at a real ``gateway serve`` without a proxy: they hold nobody up, and are ended."""

from __future__ import annotations

import resource
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.processes import GATEWAY, GatewayProcess, serving, until
from tests.integration.senders import EVENT, post

SHORT = "1"
LONG = "300"
FEW_FILES = 256  # that the gateway starts with, and has to raise
SPARE = 400
HEAD = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ANNOUNCED = HEAD + b"Content-Length: %d\r\n\r\n" % len(EVENT)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def many() -> Iterator[int]:
    """How many connections this machine lets a test open; what the gateway inherits is few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))
    yield min(1_000, hard - SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def raise_own_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect(gateway: GatewayProcess, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    connection.sendall(sent)
    return connection


@contextmanager
def connections(gateway: GatewayProcess, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(gateway, sent)) for _ in range(number)]


def answer(connection: socket.socket) -> bytes:
    """All that comes until the gateway hangs up."""
    came = b""
    while piece := connection.recv(65_536):
        came += piece
    return came


@pytest.mark.parametrize("sent", [ANNOUNCED + EVENT[:9], CHUNKED + b"20\r\n", ANNOUNCED[:-2], b""], ids=repr)
def test_a_thousand_stalled_connections_hold_nobody_up(tmp_path: Path, many: int, sent: bytes) -> None:
    with serving(tmp_path, read_timeout_seconds=LONG) as gateway:
        raise_own_limit()
        with connections(gateway, many, sent) as stalled:
            assert [post(gateway).status for _ in range(20)] == [202] * 20
            assert gateway.get("/readyz").status == 200
            assert select.select(stalled[:100], [], [], 0)[0] == []  # nobody was sent away meanwhile


def test_a_thousand_that_go_on_after_a_rest_are_taken(tmp_path: Path, many: int) -> None:
    with serving(tmp_path, read_timeout_seconds=LONG) as gateway:
        raise_own_limit()
        with connections(gateway, many, ANNOUNCED + EVENT[:9]) as slow:
            for connection in slow:
                connection.sendall(EVENT[9:])
            assert {connection.recv(65_536)[:12] for connection in slow} == {b"HTTP/1.1 202"}


def test_a_thousand_that_do_not_go_on_are_ended_with_408(tmp_path: Path, many: int) -> None:
    with serving(tmp_path, read_timeout_seconds=SHORT) as gateway:
        raise_own_limit()
        with connections(gateway, many, ANNOUNCED + EVENT[:9]) as stalled:
            assert post(gateway).status == 202
            ends = [answer(connection) for connection in stalled]
        assert {end[:12] for end in ends} == {b"HTTP/1.1 408"}
        assert all(b'"type":"request-timeout"' in end for end in ends)
        assert post(gateway).status == 202


ENDS = {
    "in the line": (b"POST /ev", b"HTTP/1.1 408"),
    "in a header": (HEAD + b"X-A: a", b"HTTP/1.1 408"),
    "in chunks": (CHUNKED + b"2\r\n{}\r\n", b"HTTP/1.1 408"),
    "before anything": (b"", b""),
    "after an answer": (ANNOUNCED + EVENT, b"HTTP/1.1 202"),
    "after an answer, in the next": (ANNOUNCED + EVENT + ANNOUNCED, b"HTTP/1.1 202"),
    "where nothing is": (b"GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 404"),
}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    settings = {"read_timeout_seconds": SHORT, "idle_timeout_seconds": SHORT, "max_connections": "20"}
    with serving(tmp_path_factory.mktemp("gateway"), GATEWAY, **settings) as gateway:
        yield gateway


@pytest.mark.parametrize(("sent", "begin"), ENDS.values(), ids=ENDS)
def test_whatever_stalls_is_ended(impatient: GatewayProcess, sent: bytes, begin: bytes) -> None:
    with connect(impatient, sent) as connection:
        came = answer(connection)
    assert came.startswith(begin)
    assert came or not begin
    assert (b"HTTP/1.1 408" in came) == (begin == b"HTTP/1.1 408" or sent.count(b"POST") == 2)


@pytest.mark.parametrize("front", [HEAD + b"X-A: ", ANNOUNCED.replace(b"86", b"999"), CHUNKED], ids=repr)
def test_who_drips_is_ended(impatient: GatewayProcess, front: bytes) -> None:
    stop = threading.Event()
    with connect(impatient, front) as connection:

        def drip() -> None:
            while not stop.wait(0.2):
                try:
                    connection.sendall(b"1\r\na\r\n" if front == CHUNKED else b"a")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        came = answer(connection)
        stop.set()
        dripping.join()
    assert came.startswith(b"HTTP/1.1 408")


def test_who_does_not_read_is_ended(impatient: GatewayProcess) -> None:
    path = max(impatient.get("/schemas/").json["schemas"], key=lambda path: len(impatient.get(path).body))
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", impatient.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 1_000)
        poll = select.poll()
        poll.register(connection, select.POLLHUP)
        until(lambda: poll.poll(0), 60, "the connection to be ended")
    assert post(impatient).status == 202


def test_over_the_limit_of_connections_a_client_is_told_to_come_again(impatient: GatewayProcess) -> None:
    with connections(impatient, 20, ANNOUNCED), connect(impatient, ANNOUNCED) as another:
        told = answer(another)
    assert told.startswith(b"HTTP/1.1 503")
    assert b'"type":"overloaded"' in told and b"retry-after: 1" in told
    until(lambda: post(impatient).status == 202, 30, "room for another")
