"""Who asks a client for its reports: a thread of its own, unless an event loop does it in between.

A thread that wakes up for reports takes the interpreter from the one that takes events, thousands of times a
second, and each finds the processor's caches full of the other's. An event loop that asks once a millisecond
needs neither.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 0.1  # for a report, in the thread
_RELIEF_SECONDS = 0.1  # so long after a loop has asked the thread does not


class Poller:
    """Asks one client; one that needs no asking is none of its business."""

    def __init__(self) -> None:
        self._ask: Callable[[float], bool] | None = None
        self._asking = threading.Lock()
        self._relieved_until = 0.0
        self._by_thread = 0
        self._loop = 0  # the thread of the loop that asks
        self._loop_goes_on = False
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="kafka-poller", daemon=True)

    def asks(self, ask: Callable[[float], bool]) -> None:
        """Say what to call: it serves reports, waits so many seconds for the first, and says whether any are
        to come still. It is never called twice at a time.
        """
        self._ask = ask

    @property
    def needed(self) -> bool:
        """Whether there is anybody to be asked by an event loop."""
        return self._ask is not None and not self._by_thread

    @contextmanager
    def by_thread(self) -> Iterator[None]:
        """Leave it to the thread for as long: so many reports are to come that they would hold a loop."""
        self._by_thread += 1
        self._relieved_until = 0.0
        self._wake.set()
        try:
            yield
        finally:
            self._by_thread -= 1

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the thread; wait for it so long."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=seconds)

    def poll(self) -> bool:
        """Serve what is there, in the caller's thread; say whether it should ask again soon.

        Whoever asks once has to go on while there is more to come; where it does not, the thread does.
        """
        if self._ask is None or self._by_thread:
            return False
        self._relieved_until = time.monotonic() + _RELIEF_SECONDS
        self._loop, self._loop_goes_on = threading.get_ident(), True
        if self._asking.acquire(blocking=False):
            try:
                self._loop_goes_on = self._ask(0)
            finally:
                self._asking.release()
        return self._loop_goes_on

    def expect(self) -> None:
        """Reports are to come: a loop that does not know of it, since another thread has sent, must not keep
        the thread from asking.
        """
        if not self._loop_goes_on and threading.get_ident() != self._loop:
            self._relieved_until = 0.0
            self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            if time.monotonic() < self._relieved_until:
                self._wake.wait(_RELIEF_SECONDS / 2)
                self._wake.clear()
                continue
            try:
                with self._asking:
                    if self._ask is not None:
                        self._ask(_WAIT_SECONDS)
            except Exception:  # this thread must live on
                logger.exception("Kafka's reports could not be served")
