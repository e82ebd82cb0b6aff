"""Answers that are held back while a backlog is drained."""

from __future__ import annotations

import pytest

from gateway.model import Outcome
from gateway.publishing.answers import Answers
from gateway.publishing.brake import Brake
from gateway.publishing.request import Item, Request
from tests.samples import record


class Road:
    """A brake that is on, and what it answers."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.brake = Brake(self.answers)
        self.brake.on = True

    def request(self, records: int = 1, *, patient: bool = True) -> Request:
        """One whose records the spool has synced just now."""
        request = Request([record("events.one")] * records)
        request.patient = patient
        with self.answers.locked():
            for index, each in enumerate(request.records):
                self.brake.answer(Item(each, request, index))
        return request

    def leave(self, rows: int) -> None:
        with self.answers.locked():
            for _ in range(rows):
                self.brake.left()


@pytest.fixture
def road() -> Road:
    return Road()


def test_a_row_that_comes_is_answered_after_three_have_left_in_its_turn(road: Road) -> None:
    first, second = road.request(), road.request(3)
    road.leave(2)
    assert not first.future.done()
    road.leave(1)
    assert first.future.result(0)[0].outcome is Outcome.SPOOLED
    road.leave(8)
    assert not second.future.done()
    road.leave(1)
    assert len(second.future.result(0)) == 3


def test_what_left_before_counts_too(road: Road) -> None:
    road.leave(6)
    assert [road.request().future.done() for _ in range(3)] == [True, True, False]


def test_a_request_waits_for_no_more_rows_than_are_counted(road: Road) -> None:
    road.leave(10_000)
    larger = road.request(5_000)
    assert not larger.future.done()
    road.leave(3_072)
    assert larger.future.done()


def test_while_it_is_off_and_for_those_in_haste_it_holds_nothing(road: Road) -> None:
    assert road.request(patient=False).future.done()
    road.brake.on = False
    assert road.request().future.done()


def test_one_or_all_can_be_let_go(road: Road) -> None:
    first, second, third = (road.request() for _ in range(3))
    with road.answers.locked():
        road.brake.let_go(second)
    assert [each.future.done() for each in (first, second, third)] == [False, True, False]
    with road.answers.locked():
        road.brake.let_all_go()
    assert first.future.done() and third.future.done()


def test_what_is_let_go_before_the_disk_has_it_is_answered_when_it_has(road: Road) -> None:
    request = Request([record("events.one")])
    request.patient = True
    with road.answers.locked():
        road.brake.let_go(request)
        road.brake.answer(Item(request.records[0], request))
    assert request.future.done()
