"""What every fuzz test asks of an answer, and the examples they start from.

``FUZZ_EXAMPLES`` says how many requests each test sends; with ``CI`` set they are the same every time.
"""

from __future__ import annotations

import json
import logging
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from werkzeug.test import TestResponse

from gateway import problems
from tests.consumer_schemas import assert_is_dead_letter, assert_is_envelope
from tests.door import PROBLEM, Door, envelope, told
from tests.examples import Example, examples

NOT_EXPLAINED = "schema"  # the deciding validator said no, and the explaining one nothing


class Heard(logging.Handler):
    """Keeps what is logged as a warning or worse, until it is asked for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def faults(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines


HEARD = Heard()
for part in ("web", "pipeline", "keeper", "schemas"):  # a publisher that another test left may still talk
    logging.getLogger(f"gateway.{part}").addHandler(HEARD)


def fresh_door() -> Door:
    """A door, and nothing heard from the tests before."""
    HEARD.faults()
    return Door()


def readable(example: Example) -> bool:
    try:
        json.loads(example.body)
    except ValueError:
        return False
    return True


EXAMPLES = examples("valid") + examples("invalid")
READABLE = [example for example in EXAMPLES if readable(example)]
STATUS = {kind.type: kind.status for kind in problems.types()}

fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")),
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=list(HealthCheck),
)


def assert_answered_well(door: Door, answer: TestResponse) -> None:
    published, topics = list(door.published), set(door.gateway.router.topics())
    dead_letters = list(door.dead_letters)
    door.publisher.forget()
    assert HEARD.faults() == []
    body = told(answer)
    if answer.status_code == 202:
        receipts = [(r["id"], r["topic"], r["key"], r["predicate"]) for r in body["events"]]
        assert dead_letters == []
        assert receipts == [(r.id, r.topic, r.key.decode(), envelope(r)["predicate"]) for r in published]
    else:
        assert answer.content_type == PROBLEM
        assert 400 <= answer.status_code < 500, body
        assert answer.status_code == body["status"] == STATUS[body["type"]]
        assert [error for error in body["errors"] if error["keyword"] == NOT_EXPLAINED] == []
        assert published == []
        assert len(dead_letters) <= 1  # none for what is refused at the door
    for record in dead_letters:
        assert_is_dead_letter(record.value)
    for record in published:
        assert record.topic in topics
        assert_is_envelope(record.value)


def pick(draw: DrawFn, among: list[Example]) -> Example:
    """Not by ``sampled_from``, which prints all there are when one fails."""
    return among[draw(st.integers(0, len(among) - 1))]
