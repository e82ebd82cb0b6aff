"""Answers from other threads reach the event loop, many at one waking."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.promises import Promise
from gateway.publishing.poller import Poller
from gateway.web.wakeups import Wakeups

COUNT = 1_000


def test_every_answer_reaches_who_waits_for_it() -> None:
    futures: list[Promise[int]] = [Promise() for _ in range(COUNT)]

    def settle(first: int) -> None:
        for number in range(first, COUNT, 4):
            futures[number].succeed(number)

    async def wait() -> list[int]:
        wakeups: Wakeups[int] = Wakeups(asyncio.get_running_loop(), Poller())
        waiting = [asyncio.create_task(wakeups.result(future, 60)) for future in futures]
        await asyncio.sleep(0)
        threads = [threading.Thread(target=settle, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        return await asyncio.gather(*waiting)

    assert asyncio.run(wait()) == list(range(COUNT))


def test_many_that_end_before_the_loop_runs_wake_it_once() -> None:
    async def count() -> int:
        loop = asyncio.get_running_loop()
        wakeups: Wakeups[int] = Wakeups(loop, Poller())
        wakes: list[object] = []
        plain = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *given, **more: wakes.append(given) or plain(*given, **more)  # type: ignore
        futures: list[Promise[int]] = [Promise() for _ in range(COUNT)]
        waiting = [asyncio.create_task(wakeups.result(future, 60)) for future in futures]
        await asyncio.sleep(0)
        settling = threading.Thread(target=lambda: [f.succeed(number) for number, f in enumerate(futures)])
        settling.start()
        settling.join()
        assert await asyncio.gather(*waiting) == list(range(COUNT))
        return len(wakes)

    assert asyncio.run(count()) == 1


def test_what_is_never_answered_ends_in_time_and_late_answers_hurt_nobody() -> None:
    async def wait() -> None:
        wakeups: Wakeups[int] = Wakeups(asyncio.get_running_loop(), Poller())
        future: Promise[int] = Promise()
        with pytest.raises(TimeoutError):
            await wakeups.result(future, 0.01)
        future.succeed(1)
        await asyncio.sleep(0)
        after: Promise[int] = Promise()
        waiting = asyncio.create_task(wakeups.result(after, 60))
        await asyncio.sleep(0)
        after.succeed(2)
        assert await waiting == 2

    asyncio.run(wait())


def test_an_answer_after_the_loop_has_ended_hurts_nobody() -> None:
    future: Promise[int] = Promise()

    async def leave() -> None:
        wakeups: Wakeups[int] = Wakeups(asyncio.get_running_loop(), Poller())
        waiting = asyncio.create_task(wakeups.result(future, 60))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    future.succeed(1)
    assert future.result() == 1
