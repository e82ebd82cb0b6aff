"""How much the drainer sends: a few rows as a question while Kafka is away, more and more once it answers."""

from __future__ import annotations

import time
from collections.abc import Callable

# What a gateway that is killed while it drains may publish twice: few, unless senders wait for the drainer. A
# window that did not grow would keep them waiting.
_WINDOW = 64
_WIDEST = 128
_PROBE = 20
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_REST_SECONDS = 0.5


class Pace:
    """Counts the rows under way; used under its owner's lock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` in seconds, monotonic."""
        self._now = now
        self.under_way = 0
        self._window = _WINDOW
        self._pause = _FIRST_PAUSE_SECONDS
        self._not_before = 0.0
        self._ended = 0.0  # when a row last did

    def room(self, *, away: bool, leaving: int = 0) -> int:
        """Say how many rows may be sent now; ``leaving`` are acknowledged and not deleted yet.

        While Kafka is away, no question follows one that is open.
        """
        now = self._now()
        if now < self._not_before or (away and self.under_way):
            return 0
        if not self.under_way and now > self._ended + _REST_SECONDS:
            self._window = _WINDOW
        return _PROBE if away else self._window - self.under_way - leaving

    @property
    def pausing(self) -> bool:
        """Whether a failure was the last that was heard, so that nothing is sent for a while."""
        return self._now() < self._not_before

    def sent(self, rows: int) -> None:
        """Rows were sent."""
        self.under_way += rows

    def ended(self, *, acknowledged: bool, pressed: bool = False) -> None:
        """A row came to an end. An acknowledgement widens the window while it is ``pressed`` by senders that
        wait, a failure or a rest makes it narrow; each failure after the pause before doubles that.
        """
        self.under_way -= 1
        self._ended = now = self._now()
        wider = min(self._window + 1, _WIDEST) if pressed else max(self._window - 1, _WINDOW)
        self._window = wider if acknowledged else _WINDOW
        if acknowledged:
            self._pause, self._not_before = _FIRST_PAUSE_SECONDS, 0.0
        elif now >= self._not_before:
            self._not_before = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
