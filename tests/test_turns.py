"""Refusals give way to events that wait to be durable."""

from __future__ import annotations

from gateway.web.turns import Turns


def made(now: float = 100.0) -> Turns:
    return Turns(lambda: now)


def test_nobody_is_held_back_while_nobody_waits() -> None:
    turns = made()
    assert [turns.hold(400, 0.1) for _ in range(100)] == [0.0] * 100


def test_refusals_queue_behind_each_other_while_an_event_waits() -> None:
    turns = made()
    turns.waiting = 1
    first, second = turns.hold(400, 0.001), turns.hold(422, 0.001)
    assert first >= 0.001
    assert second >= first + 0.001


def test_nothing_else_is_held_back() -> None:
    turns = made()
    turns.waiting = 1
    assert [turns.hold(status, 0.1) for status in (202, 500, 503)] == [0.0] * 3


def test_nobody_is_held_back_for_longer_than_a_second() -> None:
    turns = made()
    turns.waiting = 1
    assert max(turns.hold(400, 0.1) for _ in range(100)) <= 1.0


def test_what_was_owed_is_forgotten_with_time() -> None:
    now = 100.0
    turns = Turns(lambda: now)
    turns.waiting = 1
    first = turns.hold(400, 0.001)
    now += 60
    assert turns.hold(400, 0.001) <= first * 1.01
