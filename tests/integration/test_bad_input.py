"""Bad input on a real socket, to a real ``gateway serve``: answered or hung up on, never published."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.errors import BadRequest
from gateway.framing import ExpectationFailed, HeadersTooLarge, UnsupportedTransferCoding, UriTooLong
from tests.bad_bytes import CLOSED, RAW, Raw
from tests.integration.processes import GatewayProcess, serving

DOORS = ("asgi", "flask")


# What the ASGI door tells of a head that breaks HTTP; at the other, gunicorn answers with its own page.
HEADS = (BadRequest, ExpectationFailed, HeadersTooLarge, UnsupportedTransferCoding, UriTooLong)
TYPES = {kind.status: kind.type for kind in HEADS}


@pytest.fixture(scope="module", params=DOORS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def gateway(front: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with serving(tmp_path_factory.mktemp("gateway"), threads="4", door=front) as process:
        yield process
        assert '"level": "error"' not in process.log.read_text()


def send(gateway: GatewayProcess, request: bytes) -> bytes:
    """Send all that is taken, and give all that is answered; the gateway may hang up at any time."""
    answer = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection, suppress(OSError):
        with suppress(OSError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def published(gateway: GatewayProcess) -> float:
    text = gateway.get("/metrics").body.decode()
    return sum(map(float, re.findall(r'^gateway_events_total\{.*outcome="published".*\} (\S+)', text, re.M)))


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.id)
def test_bad_bytes_are_answered_and_not_published(gateway: GatewayProcess, front: str, raw: Raw) -> None:
    answer = send(gateway, raw.request)
    status = int(answer.split(b" ", 2)[1]) if answer else CLOSED
    assert status in raw.statuses, answer[:500]
    type = raw.type or (TYPES[status] if front == "asgi" and answer else "")
    assert f'"type":"{type}"'.encode() in answer or not type
    assert published(gateway) == 0


def test_who_stays_after_bad_bytes_does_not_hold_the_gateway(gateway: GatewayProcess) -> None:
    """gunicorn waits two seconds for each to leave, one after the other."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(b"\x16\x03\x01\x00\xf4\x01\r\n\r\n")
        assert gateway.get("/livez").status == 200
