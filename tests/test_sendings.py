"""The end of each record is told once, whoever comes with it."""

from __future__ import annotations

from gateway.errors import Unavailable
from gateway.model import Outcome, Placement
from gateway.publishing.client import End
from gateway.publishing.sendings import Sendings
from tests.samples import record

PLACED = Placement(Outcome.PUBLISHED, 0, 0)
RECORDS = [record("t"), record("t"), record("t")]


def test_all_ends_at_once_are_told_at_once() -> None:
    told: list[tuple[int, End]] = []
    sendings: Sendings[str] = Sendings()
    sending = sendings.add(RECORDS, told.extend, "producer")
    assert sendings
    ends = [(2, PLACED), (0, PLACED), (1, PLACED)]
    sendings.tell(sending, ends)
    assert told == ends
    assert not sendings


def test_a_second_end_of_a_record_is_not_told() -> None:
    told: list[tuple[int, End]] = []
    sendings: Sendings[str] = Sendings()
    sending = sendings.add(RECORDS, told.extend, "producer")
    sendings.tell(sending, [(1, PLACED)])
    sendings.tell(sending, [(0, PLACED), (1, Unavailable("late")), (2, PLACED)])
    sendings.tell(sending, [(2, Unavailable("late"))])
    assert told == [(1, PLACED), (0, PLACED), (2, PLACED)]
    assert not sendings


def test_what_is_given_up_ends_as_unknown_and_what_was_told_stays() -> None:
    told: list[tuple[int, End]] = []
    others: list[tuple[int, End]] = []
    sendings: Sendings[str] = Sendings()
    sending = sendings.add(RECORDS, told.extend, "gone")
    sendings.add(RECORDS, others.extend, "other")
    sendings.tell(sending, [(1, PLACED)])
    sendings.give_up("gone")
    assert [index for index, end in told if isinstance(end, Unavailable)] == [0, 2]
    assert others == []
    sendings.give_up()
    assert [index for index, end in others if isinstance(end, Unavailable)] == [0, 1, 2]
    assert not sendings
