"""The normalisation table of the specifications (section 7) as test cases, written out by hand.

A row reads ``what is sent | subject predicate | custom``; ``custom`` marks the words that are the sender's
own, because CDEvents has none for what happened.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.door import Door, envelope


class Row(NamedTuple):
    sent: list[str]
    subject: str
    predicate: str
    vocabulary: str


def rows(table: str) -> pytest.MarkDecorator:
    """One test case a line, named after what is sent."""
    parsed = []
    for line in table.strip().splitlines():
        sent, meaning, *custom = (cell.strip() for cell in line.split("|"))
        subject, predicate = meaning.split()
        vocabulary = custom[0] if custom else "cdevents"
        parsed.append(pytest.param(Row(sent.split(), subject, predicate, vocabulary), id=sent))
    return pytest.mark.parametrize("row", parsed)


def assert_means(door: Door, row: Row, *, topic: str | None = None) -> None:
    (record,) = door.published
    value = envelope(record)
    assert (value["subject"]["type"], value["predicate"]) == (row.subject, row.predicate)
    assert value["vocabulary"] == row.vocabulary
    assert record.topic == (topic or f"events.{row.subject}.{row.predicate}")
