"""When a Kafka producer is stuck."""

from __future__ import annotations

import pytest

from gateway.publishing.supervision import Supervision
from tests.test_pace import Clock

PATIENCE = 10.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> Supervision:
    return Supervision(PATIENCE, clock)


def stuck(watched: Supervision, *, answering: bool = True, waiting: bool = True, alive: bool = True) -> bool:
    return watched.stuck(answering=answering, waiting=waiting, alive=alive)


def patience(watched: Supervision, clock: Clock) -> float:
    """How long it takes until a producer that acknowledges nothing is stuck."""
    began = clock.now
    while not stuck(watched):
        clock.now += 1
    return clock.now - began


def test_a_producer_is_stuck_when_records_wait_too_long_though_the_brokers_answer(
    watched: Supervision, clock: Clock
) -> None:
    assert patience(watched, clock) == PATIENCE


@pytest.mark.parametrize("missing", ["answering", "waiting"])
def test_nothing_is_expected_without_brokers_or_records_and_the_wait_begins_anew(
    watched: Supervision, clock: Clock, missing: str
) -> None:
    assert not stuck(watched)
    clock.now += 9
    assert not stuck(watched, **{missing: False})
    clock.now += 100
    assert not stuck(watched, **{missing: False})
    assert patience(watched, clock) == PATIENCE


def test_an_acknowledgement_begins_the_wait_anew(watched: Supervision, clock: Clock) -> None:
    assert not stuck(watched)
    clock.now += 9
    watched.progress()
    assert patience(watched, clock) == PATIENCE


def test_a_producer_whose_thread_ended_is_stuck_at_once(watched: Supervision) -> None:
    assert stuck(watched, waiting=False, alive=False)


def test_a_producer_that_failed_by_itself_is_stuck_at_once_and_until_it_is_replaced(
    watched: Supervision,
) -> None:
    watched.fault()
    assert stuck(watched)
    assert stuck(watched, waiting=False)
    watched.replaced()
    assert not stuck(watched)


def test_progress_is_proof_that_a_fault_is_over(watched: Supervision) -> None:
    watched.fault()
    watched.progress()
    assert not stuck(watched)


def test_no_producer_is_replaced_while_no_broker_answers(watched: Supervision, clock: Clock) -> None:
    watched.fault()
    clock.now += 1_000
    assert not stuck(watched, answering=False, alive=False)


def test_each_replacement_that_does_not_help_doubles_the_patience_up_to_a_bound(
    watched: Supervision, clock: Clock
) -> None:
    found = []
    for _ in range(7):
        found.append(patience(watched, clock))
        watched.replaced()
    assert found == [10, 20, 40, 80, 160, 300, 300]
    watched.progress()
    assert patience(watched, clock) == PATIENCE
