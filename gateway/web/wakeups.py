"""From the threads of a publisher to an event loop, which is woken once for many answers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from gateway.promises import Promise
from gateway.publishing.poller import Poller

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

_POLL_SECONDS = 0.001


class Wakeups(Generic[Value]):
    """Waits for promises without a thread each, in one event loop.

    ``call_soon_threadsafe`` writes to a pipe and makes the loop run: a publisher that ends a hundred requests
    at once would do so a hundred times. Here the first does it for all that end before the loop has run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, poller: Poller) -> None:
        """``loop`` is the one that runs; while it waits for an answer it asks ``poller`` for reports."""
        self.loop = loop
        self._thread = threading.get_ident()
        self._poller = poller
        self._asks = False
        self._ended: deque[tuple[Callable[[Value], object], Value]] = deque()
        self._woken = False

    def when(self, promise: Promise[Value], callback: Callable[[Value], object]) -> None:
        """Call back in the loop with the result of a promise that never raises: now, if it is there."""
        if promise.done():
            callback(promise.result())
        else:
            promise.then(lambda done: self._end(callback, done.result()))
            self.attend()

    async def result(self, promise: Promise[Value], seconds: float) -> Value:
        """Give the result of a promise that never raises. Raises TimeoutError when it takes longer."""
        if promise.done():
            return promise.result()
        waiter: asyncio.Future[Value] = self.loop.create_future()
        self.when(promise, lambda value: _settle(waiter, value))
        late = self.loop.call_later(seconds, _expire, waiter)
        try:
            return await waiter
        finally:
            late.cancel()

    def _end(self, callback: Callable[[Value], object], value: Value) -> None:
        """Called in any thread. Added first and looked at second, so that ``_run`` sees it or is called."""
        if threading.get_ident() == self._thread:
            callback(value)
            return
        self._ended.append((callback, value))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                self.loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self._woken = False
        while self._ended:
            callback, value = self._ended.popleft()
            try:
                callback(value)
            except Exception:  # the others must be called
                logger.exception("an answer could not be given")

    def attend(self) -> None:
        """Ask for reports soon, and as long as there are any to come."""
        if not self._asks and self._poller.needed:
            self._asks = True
            self.loop.call_later(_POLL_SECONDS, self._ask)

    def _ask(self) -> None:
        self._asks = False
        if self._poller.poll():
            self.attend()


def _settle(waiter: asyncio.Future[Value], value: Value) -> None:
    if not waiter.done():
        waiter.set_result(value)


def _expire(waiter: asyncio.Future[Value]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
