"""Both doors give the same answers, byte for byte, and publish the same records."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from gateway.model import Record
from gateway.web.routes import INTAKES
from tests.bad_input import ROWS, Row
from tests.door import FRONTS, JSON, Door
from tests.examples import RECEIVED, Example, examples
from tests.samples import EVENT

FRESH = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # the id of a request or an event


@pytest.fixture(scope="module")
def both() -> Iterator[list[Door]]:
    """At one moment: how long a time is in writing depends on it, and with it the size of a record."""
    doors = []
    for front in FRONTS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Door, "front", front)
            doors.append(Door(allowed_origins="a.example"))
            doors[-1].gateway.door._now = lambda: RECEIVED
    yield doors


def same(text: bytes) -> bytes:
    return FRESH.sub(b"<id>", text)


def said(answer: TestResponse) -> tuple[int, dict[str, bytes], bytes]:
    """All of an answer, its headers in any order and case, since HTTP has it so."""
    headers = {name.lower(): same(value.encode()) for name, value in answer.headers}
    assert len(headers) == len(list(answer.headers))
    return answer.status_code, headers, same(answer.data)


def published(door: Door) -> list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]]:
    records: list[Record] = [*door.published, *door.dead_letters]
    door.publisher.forget()
    return [
        (record.topic, same(record.key), same(record.value), [(n, same(v)) for n, v in record.headers])
        for record in records
    ]


def assert_agree(both: list[Door], answers: list[TestResponse]) -> None:
    first, second = map(said, answers)
    assert first == second
    assert published(both[0]) == published(both[1])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_of_bad_input(both: list[Door], row: Row) -> None:
    headers = dict(row.headers)
    assert_agree(
        both,
        [
            door.send(row.body, row.path, method=row.method, content_type=row.content_type, headers=headers)
            for door in both
        ],
    )


@pytest.mark.parametrize("example", examples("valid") + examples("invalid"), ids=str)
def test_of_examples(both: list[Door], example: Example) -> None:
    answers = [
        door.client.open(example.path, method=example.method, data=example.body, headers=example.headers)
        for door in both
    ]
    assert_agree(both, answers)


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
PATHS = [
    *sorted({intake.rule.replace("<resource>", "7") for intake in INTAKES}),
    *("/", "/nothing", "/events/", "//events", "/events/incidents/", "/events/incidents/7/8"),
    *(
        "/events/incidents/%ff",
        "/events/incidents/%2F",
        "/events/incidents/a%0Ab",
        "/events/%69bm",
        "/EVENTS",
    ),
    *("/events/incidents/<resource>", "/livez", "/readyz", "/schemas", "/schemas/", "/schemas/nothing"),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_of_methods_and_paths(both: list[Door], method: str, path: str) -> None:
    headers = {"WebHook-Request-Origin": "a.example"}
    answers = [
        door.client.open(f"{path}?key=a", method=method, data=EVENT, content_type=JSON, headers=headers)
        for door in both
    ]
    assert_agree(both, answers)


def test_of_a_body_that_comes_in_many_pieces(both: list[Door]) -> None:
    for body in (EVENT.ljust(500_000), b"[" * 500_000, b"x" * 2_000_000):
        assert_agree(both, [door.send(body) for door in both])
