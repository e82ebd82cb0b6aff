"""The ends of waits: what is still open when its time is up is called back."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from gateway.promises import Promise

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


class Deadlines:
    """Calls back what is still open when its time is up: one thread and one fixed wait for all."""

    def __init__(self, wait: float) -> None:
        """``wait`` in seconds, measured by the monotonic clock."""
        self._wait = wait
        self._open: deque[tuple[float, Promise[object], Callable[[], object]]] = deque()
        self._lock = threading.Lock()  # taken by itself for every request: a Condition takes longer
        self._wake = threading.Condition(self._lock)
        self._stopped = False
        self._idle = False  # the thread waits for something to watch; otherwise until something is due
        self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)

    def start(self) -> None:
        """Start the thread, in the process that will use it."""
        self._thread.start()

    def watch(self, future: Promise[Value], late: Callable[[], object]) -> None:
        """Call ``late`` from the thread if the promise is still open after the wait; at once if stopped."""
        with self._lock:
            if not self._stopped:
                while self._open and self._open[0][1].done():  # so that they are kept no longer than needed
                    self._open.popleft()
                self._open.append((time.monotonic() + self._wait, future, late))  # type: ignore[arg-type]
                if self._idle:
                    self._wake.notify()
                return
        late()

    def stop(self) -> None:
        """End the thread; what is still open is called back first."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        else:
            self._run()  # it was never started

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._open and not self._stopped:
                    self._idle = True
                    self._wake.wait()
                self._idle = False
                if not self._open:
                    return
                due, future, late = self._open[0]
                remaining = 0 if future.done() or self._stopped else due - time.monotonic()
                if remaining > 0:
                    self._wake.wait(remaining)
                    continue
                self._open.popleft()
            if not future.done():
                try:
                    late()
                except Exception:  # the others still wait for this thread
                    logger.exception("what was to be done at the end of a wait failed")


class Budgets:
    """Waits of several lengths: the usual one, and shorter ones, each made when it is first asked for."""

    def __init__(self, usual: float) -> None:
        """``usual`` in seconds."""
        self._usual = Deadlines(usual)
        self._shorter: dict[float, Deadlines] = {}
        self._stopped = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the usual one, in the process that will use it; a shorter one starts with its first use."""
        self._usual.start()

    def watch(self, future: Promise[Value], late: Callable[[], object], wait: float | None = None) -> None:
        """Call ``late`` if the promise is still open after the wait, the usual one for None."""
        (self._usual if wait is None else self._of(wait)).watch(future, late)

    def stop(self) -> None:
        """End all; what is still open is called back first."""
        with self._lock:
            self._stopped = True
            shorter = list(self._shorter.values())
        for deadlines in (self._usual, *shorter):
            deadlines.stop()

    def _of(self, wait: float) -> Deadlines:
        with self._lock:
            if wait not in self._shorter:
                made = self._shorter[wait] = Deadlines(wait)
                made.stop() if self._stopped else made.start()
            return self._shorter[wait]
