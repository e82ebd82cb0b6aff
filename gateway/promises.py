"""A value that comes later, settled by whoever is first: an acknowledgement, a failure, the end of a wait.

``concurrent.futures.Future`` does the same, and takes ten times as long to make, settle and read: each has a
condition and a lock of its own, and every question takes them. An event passes three.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

# One for all: it is held for the few instructions that must not be cut in two. It may be taken again by the
# thread that has it, since the garbage collector may run anything anywhere.
_lock = threading.RLock()


class Promise(Generic[Value]):
    """Settled once, with a value or an error, in any thread."""

    __slots__ = ("_callbacks", "_error", "_settled", "_value")

    def __init__(self) -> None:
        self._settled = False
        self._value: Value | None = None
        self._error: BaseException | None = None
        self._callbacks: tuple[Callable[[Promise[Value]], object], ...] = ()

    def done(self) -> bool:
        """Whether it is settled."""
        return self._settled

    def succeed(self, value: Value) -> bool:
        """Settle with a value; False when it was settled before. What waits for it runs in this thread."""
        return self._settle(value, None)

    def fail(self, error: BaseException) -> bool:
        """Settle with an error; False when it was settled before."""
        return self._settle(None, error)

    def exception(self, seconds: float | None = None) -> BaseException | None:
        """Give the error it was settled with, None for a value. Waits, and raises, as ``result`` does."""
        if not (self._settled or self.wait(seconds)):
            raise TimeoutError
        return self._error

    def result(self, seconds: float | None = None) -> Value:
        """Give the value, or raise the error; waits for it, or raises TimeoutError after so long."""
        if not (self._settled or self.wait(seconds)):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it is settled, or for so long; say whether it is."""
        settled = threading.Event()

        def tell(_: object) -> None:
            settled.set()

        self.then(tell)
        if not settled.wait(seconds):
            with _lock:
                self._callbacks = tuple([each for each in self._callbacks if each is not tell])
        return self._settled

    def then(self, callback: Callable[[Promise[Value]], object]) -> None:
        """Call it with this promise once that is settled: now, or in the thread that settles it.

        In the order they came. What one raises is logged, and is nobody else's matter.
        """
        with _lock:
            if not self._settled:
                self._callbacks = (*self._callbacks, callback)
                return
        self._call(callback)

    def follow(self, other: Promise[Value]) -> None:
        """Be settled as the other is, unless something else comes first."""
        other.then(self._as)

    def _as(self, other: Promise[Value]) -> None:
        self._settle(other._value, other._error)

    def _settle(self, value: Value | None, error: BaseException | None) -> bool:
        with _lock:
            if self._settled:
                return False
            self._value, self._error, self._settled = value, error, True
            callbacks, self._callbacks = self._callbacks, ()
        for callback in callbacks:
            self._call(callback)
        return True

    def _call(self, callback: Callable[[Promise[Value]], object]) -> None:
        try:
            callback(self)
        except Exception:
            logger.exception("what waited for a result failed")
