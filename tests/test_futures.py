"""Futures that are settled by whoever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from gateway.publishing.futures import Deadlines, fail, succeed
from tests.publisher_contract import WAIT, eventually


@pytest.fixture
def soon() -> Iterator[Deadlines]:
    deadlines = Deadlines(0.05)
    deadlines.start()
    yield deadlines
    deadlines.stop()


def test_the_first_to_settle_a_future_wins() -> None:
    future: Future[int] = Future()
    assert succeed(future, 1)
    assert not succeed(future, 2)
    assert not fail(future, TimeoutError())
    assert future.result(0) == 1


def test_a_failure_is_final_too() -> None:
    future: Future[int] = Future()
    assert fail(future, TimeoutError())
    assert not succeed(future, 1)
    assert isinstance(future.exception(0), TimeoutError)


def test_a_future_that_is_open_when_its_time_is_up_is_called_back(soon: Deadlines) -> None:
    future: Future[int] = Future()
    soon.watch(future, lambda: succeed(future, 1))
    assert future.result(WAIT) == 1


def test_a_future_that_is_settled_in_time_is_left_alone(soon: Deadlines) -> None:
    called: list[str] = []
    settled: Future[int] = Future()
    soon.watch(settled, lambda: called.append("settled"))
    settled.set_result(1)
    soon.watch(Future(), lambda: called.append("open"))
    assert eventually(lambda: bool(called))
    assert called == ["open"]


def test_futures_are_called_back_in_the_order_they_came(soon: Deadlines) -> None:
    called: list[int] = []
    for number in range(20):
        soon.watch(Future(), lambda number=number: called.append(number))  # type: ignore[misc]
    assert eventually(lambda: len(called) == 20)
    assert called == list(range(20))


def test_a_stop_calls_back_what_is_still_open_and_waits_for_nothing() -> None:
    deadlines = Deadlines(3_600)
    deadlines.start()
    future: Future[int] = Future()
    deadlines.watch(future, lambda: succeed(future, 1))
    deadlines.stop()
    assert future.result(0) == 1


def test_a_stop_without_a_start_is_nothing() -> None:
    Deadlines(1).stop()
