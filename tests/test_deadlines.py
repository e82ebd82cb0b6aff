"""What is still open when its time is up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.promises import Promise
from gateway.publishing.deadlines import Deadlines
from tests.publisher_contract import WAIT, eventually


@pytest.fixture
def soon() -> Iterator[Deadlines]:
    deadlines = Deadlines(0.05)
    deadlines.start()
    yield deadlines
    deadlines.stop()


def test_a_future_that_is_open_when_its_time_is_up_is_called_back(soon: Deadlines) -> None:
    future: Promise[int] = Promise()
    soon.watch(future, lambda: future.succeed(1))
    assert future.result(WAIT) == 1


def test_a_future_that_is_settled_in_time_is_left_alone(soon: Deadlines) -> None:
    called: list[str] = []
    settled: Promise[int] = Promise()
    soon.watch(settled, lambda: called.append("settled"))
    settled.succeed(1)
    soon.watch(Promise(), lambda: called.append("open"))
    assert eventually(lambda: bool(called))
    assert called == ["open"]


def test_futures_are_called_back_in_the_order_they_came(soon: Deadlines) -> None:
    called: list[int] = []
    for number in range(20):
        soon.watch(Promise(), lambda number=number: called.append(number))  # type: ignore[misc]
    assert eventually(lambda: len(called) == 20)
    assert called == list(range(20))


def test_a_stop_calls_back_what_is_still_open_and_waits_for_nothing() -> None:
    deadlines = Deadlines(3_600)
    deadlines.start()
    future: Promise[int] = Promise()
    deadlines.watch(future, lambda: future.succeed(1))
    deadlines.stop()
    assert future.result(0) == 1


def test_a_stop_without_a_start_is_nothing() -> None:
    Deadlines(1).stop()
