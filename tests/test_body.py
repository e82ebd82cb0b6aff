"""Reading the body: whole or refused, never cut."""

from __future__ import annotations

import io
from typing import Any

from werkzeug.test import TestResponse

from tests.door import JSON, MAX_BODY, Door, told
from tests.samples import EVENT


def test_a_chunked_body_is_read_to_its_end(door: Door) -> None:
    answer = send_stream(door, EVENT, chunked=True)
    assert answer.status_code == 202


def test_a_chunked_body_over_the_limit_is_refused_not_cut(door: Door) -> None:
    answer = send_stream(door, EVENT.ljust(MAX_BODY + 1), chunked=True)
    assert (answer.status_code, told(answer)["type"]) == (413, "too-large")


def test_a_body_shorter_than_announced_is_refused(door: Door) -> None:
    answer = send_stream(door, EVENT, announced=4_000)
    assert (answer.status_code, told(answer)["type"]) == (400, "incomplete-body")
    assert door.published == []


def test_a_body_that_breaks_off_is_refused(door: Door) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    environ = {"wsgi.input": Broken(), "CONTENT_LENGTH": "10"}
    answer = door.client.post("/events", content_type=JSON, environ_overrides=environ)
    assert (answer.status_code, told(answer)["type"]) == (400, "malformed-body")
    assert door.published == []


def send_stream(
    door: Door, body: bytes, *, chunked: bool = False, announced: int | None = None
) -> TestResponse:
    """A body as gunicorn hands it on: a stream with an end, or with the length that was announced."""
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(body)}
    if chunked:
        environ |= {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    if announced is not None:
        environ |= {"CONTENT_LENGTH": str(announced)}
    return door.client.post("/events", content_type=JSON, environ_overrides=environ)
