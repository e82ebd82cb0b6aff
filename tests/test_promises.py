"""A value that comes later: settled once, and told to all who wait for it."""

from __future__ import annotations

import threading
import time

import pytest

from gateway.promises import Promise


def test_the_first_to_settle_it_wins() -> None:
    promise: Promise[int] = Promise()
    assert promise.succeed(1)
    assert not promise.succeed(2)
    assert not promise.fail(KeyError())
    assert promise.result(0) == 1
    assert promise.exception(0) is None


def test_a_failure_is_final_too() -> None:
    promise: Promise[int] = Promise()
    assert promise.fail(KeyError("gone"))
    assert not promise.succeed(1)
    assert isinstance(promise.exception(0), KeyError)
    with pytest.raises(KeyError, match="gone"):
        promise.result(0)


def race() -> tuple[Promise[int], list[bool], list[int]]:
    """Four threads that settle it at once, beside one that asks to be told."""
    promise: Promise[int] = Promise()
    won: list[bool] = []
    heard: list[int] = []
    start = threading.Barrier(5)

    def settle(number: int) -> None:
        start.wait()
        won.append(promise.succeed(number))

    def listen() -> None:
        start.wait()
        for _ in range(20):
            promise.then(lambda done: heard.append(done.result()))

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(4)]
    threads.append(threading.Thread(target=listen))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return promise, won, heard


def test_one_of_many_threads_settles_it_and_each_that_waits_is_told_once() -> None:
    for _ in range(200):
        promise, won, heard = race()
        assert won.count(True) == 1
        assert heard == [promise.result(0)] * 20


def test_who_waits_is_told_in_the_order_they_came_also_after_it_is_settled() -> None:
    promise: Promise[int] = Promise()
    told: list[str] = []
    promise.then(lambda _: told.append("first"))
    promise.then(lambda _: told.append("second"))
    promise.succeed(1)
    promise.then(lambda _: told.append("late"))
    assert told == ["first", "second", "late"]


def test_one_that_waits_and_fails_hurts_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    promise: Promise[int] = Promise()
    told: list[int] = []
    promise.then(lambda done: 1 // 0)
    promise.then(lambda done: told.append(done.result()))
    promise.succeed(1)
    assert told == [1]
    assert "ZeroDivisionError" in caplog.text


def test_a_thread_waits_until_another_settles_it() -> None:
    promise: Promise[int] = Promise()
    threading.Timer(0.05, promise.succeed, [1]).start()
    assert promise.result(60) == 1


def test_a_wait_that_is_over_leaves_nothing_behind() -> None:
    promise: Promise[int] = Promise()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        promise.result(0.01)
    with pytest.raises(TimeoutError):
        promise.exception(0)
    assert time.monotonic() >= began + 0.01
    assert not promise.wait(0)
    assert promise._callbacks == ()


def test_it_follows_another_unless_it_is_settled_first() -> None:
    first: Promise[int] = Promise()
    follower: Promise[int] = Promise()
    settled: Promise[int] = Promise()
    follower.follow(first)
    settled.follow(first)
    settled.succeed(2)
    first.fail(KeyError())
    assert isinstance(follower.exception(0), KeyError)
    assert settled.result(0) == 2
