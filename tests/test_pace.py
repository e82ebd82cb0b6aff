"""How much the drainer sends."""

from __future__ import annotations

import pytest

from gateway.publishing.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def test_while_kafka_is_away_a_few_rows_are_asked_with_and_no_more_until_all_ended(pace: Pace) -> None:
    few = pace.room(away=True)
    assert 0 < few <= 20
    pace.sent(2)
    assert pace.room(away=True) == 0
    pace.ended(acknowledged=True)
    assert pace.room(away=True) == 0
    pace.ended(acknowledged=True)
    assert pace.room(away=True) == few


def test_once_kafka_answers_many_are_under_way_and_bounded(pace: Pace) -> None:
    window = pace.room(away=False)
    assert window > 20
    pace.sent(window - 5)
    assert pace.room(away=False) == 5
    pace.sent(5)
    assert pace.room(away=False) == 0
    pace.ended(acknowledged=True)
    assert pace.room(away=False) > 0


def pauses(pace: Pace, clock: Clock, failures: int) -> list[float]:
    """The pause after each of that many questions, the time that each takes to fail not counted."""
    found = []
    for _ in range(failures):
        pace.sent(1)
        pace.ended(acknowledged=False)
        failed = clock.now
        while not pace.room(away=True):
            clock.now += 0.25
        found.append(clock.now - failed)
    return found


def test_each_failure_after_a_pause_doubles_it_up_to_a_bound(pace: Pace, clock: Clock) -> None:
    assert pauses(pace, clock, 7) == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_failures_of_one_question_count_once(pace: Pace, clock: Clock) -> None:
    pace.sent(20)
    for _ in range(20):
        pace.ended(acknowledged=False)
    clock.now += 0.5
    assert pace.room(away=True) > 0
    assert pauses(pace, clock, 1) == [1]


def test_a_pause_holds_whatever_the_state(pace: Pace) -> None:
    pace.sent(1)
    pace.ended(acknowledged=False)
    assert pace.room(away=False) == pace.room(away=True) == 0


def test_an_acknowledgement_ends_the_pause_and_the_next_begins_short(pace: Pace, clock: Clock) -> None:
    pauses(pace, clock, 4)
    pace.sent(2)
    pace.ended(acknowledged=False)
    assert pace.room(away=False) == 0
    pace.ended(acknowledged=True)
    assert pace.room(away=True) > 0
    assert pauses(pace, clock, 2) == [0.5, 1]
