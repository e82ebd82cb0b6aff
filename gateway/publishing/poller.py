"""Who asks a client for its reports: a thread of its own, unless an event loop does it in between.

A thread that wakes up for reports takes the interpreter from the one that takes events, thousands of times a
second, and each finds the processor's caches full of the other's. An event loop that asks once a millisecond
needs neither.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 0.1  # for a report, in the thread
_RELIEF_SECONDS = 0.1  # so long after a loop has asked the thread does not


class Poller:
    """Asks one client; one that needs no asking is none of its business."""

    def __init__(self) -> None:
        self._ask: Callable[[float], bool] | None = None
        self._asking = threading.Lock()
        self._relieved_until = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-poller", daemon=True)

    def asks(self, ask: Callable[[float], bool]) -> None:
        """Say what to call: it serves reports, waits so many seconds for the first, and says whether any are
        to come still. It is never called twice at a time.
        """
        self._ask = ask

    @property
    def needed(self) -> bool:
        """Whether there is anybody to be asked."""
        return self._ask is not None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the thread; wait for it so long."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=seconds)

    def poll(self) -> bool:
        """Serve what is there, in the caller's thread; say whether it should ask again soon.

        Whoever asks once has to go on while there is more to come; where it does not, the thread does.
        """
        self._relieved_until = time.monotonic() + _RELIEF_SECONDS
        if self._ask is None:
            return False
        if not self._asking.acquire(blocking=False):
            return True
        try:
            return self._ask(0)
        finally:
            self._asking.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            if time.monotonic() < self._relieved_until:
                self._stop.wait(_RELIEF_SECONDS / 2)
                continue
            try:
                with self._asking:
                    if self._ask is not None:
                        self._ask(_WAIT_SECONDS)
            except Exception:  # this thread must live on
                logger.exception("Kafka's reports could not be served")
