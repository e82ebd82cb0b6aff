"""Requests with bytes changed, on a real socket: answered or hung up on, and never a fault of the gateway."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.bad_bytes import HEAD, POST, RAW, chunk, chunked, request
from tests.integration.processes import GatewayProcess, serving
from tests.integration.test_bad_input import DOORS, send
from tests.mutations import cut
from tests.samples import EVENT

GOOD = [request(POST, *HEAD), chunked(chunk(EVENT[:9]) + chunk(EVENT[9:]) + chunk(b""))]
REQUESTS = GOOD + [raw.request for raw in RAW if len(raw.request) < 10_000]
NOT_IMPLEMENTED = 501  # the server's answer to a transfer coding that it does not know


@pytest.fixture(scope="module", params=DOORS)
def gateway(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[GatewayProcess]:
    with serving(tmp_path_factory.mktemp("gateway"), door=request.param) as process:
        yield process
        log = process.log.read_text()
        assert '"level": "error"' not in log
        assert "Traceback" not in log


@st.composite
def altered(draw: DrawFn) -> bytes:
    return cut(draw, draw(st.sampled_from(REQUESTS)))


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")),
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(altered())
def test_altered_bytes_are_answered_without_a_fault(gateway: GatewayProcess, content: bytes) -> None:
    answer = send(gateway, content)
    if answer.startswith(b"HTTP/"):
        status = int(answer.split(b" ", 2)[1])
        assert status < 500 or status == NOT_IMPLEMENTED, (content, answer[:500])
    assert gateway.process.poll() is None
