"""Reports are asked for by an event loop while it does so, and by a thread otherwise."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.promises import Promise
from gateway.publishing.poller import Poller
from gateway.web.wakeups import Wakeups
from tests.publisher_contract import eventually


class Client:
    """Has its reports when asked often enough, and notes by whom."""

    def __init__(self, promise: Promise[int], asks: int = 3) -> None:
        self.promise = promise
        self.left = asks
        self.asked: list[int] = []
        self._busy = threading.Lock()

    def ask(self, seconds: float) -> bool:
        with self._busy:
            self.asked.append(threading.get_ident())
            self.left -= 1
            if not self.left:
                self.promise.succeed(7)
            return self.left > 0


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller()
    yield poller
    poller.stop(60)


def test_a_loop_that_waits_serves_the_reports_itself(poller: Poller) -> None:
    client = Client(Promise(), asks=3)
    poller.asks(client.ask)

    async def wait() -> int:
        return await Wakeups[int](asyncio.get_running_loop(), poller).result(client.promise, 60)

    assert asyncio.run(wait()) == 7
    assert client.asked == [threading.get_ident()] * 3


def test_a_loop_asks_no_longer_than_there_is_something_to_come(poller: Poller) -> None:
    client = Client(Promise(), asks=1)
    poller.asks(client.ask)

    async def wait() -> None:
        await Wakeups[int](asyncio.get_running_loop(), poller).result(client.promise, 60)
        await asyncio.sleep(0.05)

    asyncio.run(wait())
    assert len(client.asked) == 1


def test_the_thread_serves_them_where_no_loop_does(poller: Poller) -> None:
    client = Client(Promise(), asks=3)
    poller.asks(client.ask)
    poller.start()
    assert client.promise.result(60) == 7
    assert threading.get_ident() not in client.asked


def test_the_thread_takes_over_from_a_loop_that_stopped(poller: Poller) -> None:
    client = Client(Promise(), asks=1_000_000)
    poller.asks(client.ask)
    assert poller.poll()
    poller.start()
    assert eventually(lambda: client.asked[-1] != threading.get_ident())


def test_two_never_ask_at_a_time_and_whoever_is_late_asks_again(poller: Poller) -> None:
    entered, leave = threading.Event(), threading.Event()

    def ask(_: float) -> bool:
        entered.set()
        leave.wait(60)
        return False

    poller.asks(ask)
    poller.start()
    entered.wait(60)
    assert poller.poll()
    leave.set()


def test_a_client_that_fails_is_asked_again(poller: Poller, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[float] = []

    def ask(seconds: float) -> bool:
        asked.append(seconds)
        raise RuntimeError("a bug")

    poller.asks(ask)
    poller.start()
    assert eventually(lambda: len(asked) > 1)
    assert "could not be served" in caplog.text


def test_one_that_needs_no_asking_is_left_alone(poller: Poller) -> None:
    assert not poller.needed
    assert not poller.poll()


def test_the_thread_serves_them_while_a_loop_leaves_it_to_it(poller: Poller) -> None:
    client = Client(Promise(), asks=1_000_000)
    poller.asks(client.ask)
    assert poller.poll()
    poller.start()
    with poller.by_thread():
        assert not poller.needed
        assert not poller.poll()
        assert eventually(lambda: client.asked[-1] != threading.get_ident())
    assert poller.needed


def test_the_thread_is_woken_for_what_another_thread_has_sent_when_the_loop_is_done(poller: Poller) -> None:
    """At once: not after it has rested from a loop that asked last."""
    asked: list[int] = []

    def ask(seconds: float) -> bool:
        asked.append(threading.get_ident())
        time.sleep(seconds / 100)
        return False

    poller.asks(ask)
    poller.start()
    for _ in range(20):
        while poller.poll():  # which relieves the thread, again and again
            time.sleep(0.001)
        sending = threading.Thread(target=poller.expect)
        sending.start()
        sending.join()
        assert eventually(lambda: asked[-1] != threading.get_ident())


def test_what_the_loop_itself_has_sent_wakes_nobody(poller: Poller) -> None:
    poller.asks(lambda seconds: False)
    assert not poller.poll()
    poller.expect()
    assert not poller._wake.is_set()
