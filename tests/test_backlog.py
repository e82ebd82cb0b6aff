"""What waits in the spool, counted."""

from __future__ import annotations

import pytest

from gateway.publishing.backlog import Backlog
from gateway.publishing.spool_file import Waiting
from tests.samples import record

SENT = record("t", "k/1", b"x" * 900)


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(max_bytes=4 * SENT.size)


def test_a_key_of_a_topic_waits_until_its_last_record_is_out(backlog: Backlog) -> None:
    backlog.add(SENT)
    backlog.add(SENT)
    backlog.remove(SENT)
    assert SENT.lane in backlog
    backlog.remove(SENT)
    assert SENT.lane not in backlog


def test_a_key_whose_records_the_client_holds_does_not_queue_until_one_is_given_up(backlog: Backlog) -> None:
    backlog.add(SENT)
    backlog.add(SENT, handed=True)
    assert SENT.lane in backlog
    backlog.hand(SENT)
    assert SENT.lane not in backlog
    assert (backlog.records, bool(backlog)) == (2, True)
    backlog.take_back(SENT)
    assert SENT.lane in backlog
    backlog.hand(SENT)
    backlog.remove(SENT, handed=True)
    backlog.remove(SENT, handed=True)
    assert not backlog


def test_another_topic_or_another_key_does_not_wait(backlog: Backlog) -> None:
    backlog.add(SENT)
    assert record("u", "k/1").lane not in backlog
    assert record("t", "k/2").lane not in backlog


def test_records_and_bytes_are_counted_in_and_out(backlog: Backlog) -> None:
    other = record("u", "k/2", b"other")
    backlog.add(SENT)
    backlog.add(other)
    assert (backlog.records, backlog.bytes) == (2, SENT.size + other.size)
    backlog.remove(SENT)
    assert (backlog.records, backlog.bytes) == (1, other.size)


def test_there_is_room_up_to_the_last_byte(backlog: Backlog) -> None:
    for _ in range(3):
        backlog.add(SENT)
    assert backlog.has_room(SENT)
    assert not backlog.has_room(record("t", "k/1", b"x" * 901))


def test_it_is_full_when_an_average_record_would_not_fit(backlog: Backlog) -> None:
    full = []
    for _ in range(4):
        full.append(backlog.full)
        backlog.add(SENT)
    assert [*full, backlog.full] == [False, False, False, False, True]
    backlog.remove(SENT)
    assert not backlog.full


def test_what_is_found_in_files_is_counted_like_what_was_put_there(backlog: Backlog) -> None:
    backlog.load([Waiting("t", b"k/1", 2, 2 * SENT.size), Waiting("u", b"k/2", 1, 10)])
    assert (backlog.records, backlog.bytes) == (3, 2 * SENT.size + 10)
    assert ("u", b"k/2") in backlog
    backlog.remove(SENT)
    backlog.remove(SENT)
    assert SENT.lane not in backlog


def test_nothing_waits_after_it_was_cleared(backlog: Backlog) -> None:
    backlog.add(SENT)
    backlog.clear()
    assert SENT.lane not in backlog
    assert (backlog.records, backlog.bytes, backlog.full) == (0, 0, False)
