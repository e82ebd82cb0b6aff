"""From the threads of a publisher to an event loop, which is woken once for many answers."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

from gateway.promises import Promise

Value = TypeVar("Value")


class Wakeups(Generic[Value]):
    """Waits for promises without a thread each, in one event loop.

    ``call_soon_threadsafe`` writes to a pipe and makes the loop run: a publisher that ends a hundred requests
    at once would do so a hundred times. Here the first does it for all that end before the loop has run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ended: deque[tuple[asyncio.Future[Value], Promise[Value]]] = deque()
        self._woken = False

    async def result(self, promise: Promise[Value], seconds: float) -> Value:
        """Give the result of a promise that never raises. Raises TimeoutError when it takes longer."""
        if promise.done():
            return promise.result()
        waiter: asyncio.Future[Value] = self.loop.create_future()
        promise.then(lambda done: self._end(waiter, done))
        late = self.loop.call_later(seconds, _expire, waiter)
        try:
            return await waiter
        finally:
            late.cancel()

    def _end(self, waiter: asyncio.Future[Value], done: Promise[Value]) -> None:
        """Called in any thread. Added first and looked at second, so that ``_run`` sees it or is called."""
        self._ended.append((waiter, done))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                self.loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self._woken = False
        while self._ended:
            waiter, done = self._ended.popleft()
            if not waiter.done():
                waiter.set_result(done.result())


def _expire(waiter: asyncio.Future[Value]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
