"""How much the drainer sends: a few rows as a question while Kafka is away, a window once it answers."""

from __future__ import annotations

import time
from collections.abc import Callable

# What a gateway that is killed while it drains may publish twice.
_WINDOW = 64
_PROBE = 20
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


class Pace:
    """Counts the rows under way; used under its owner's lock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` in seconds, monotonic."""
        self._now = now
        self.under_way = 0
        self._pause = _FIRST_PAUSE_SECONDS
        self._not_before = 0.0

    def room(self, *, away: bool, leaving: int = 0) -> int:
        """Say how many rows may be sent now; ``leaving`` are acknowledged and not deleted yet.

        While Kafka is away, no question follows one that is open.
        """
        if self._now() < self._not_before or (away and self.under_way):
            return 0
        return _PROBE if away else _WINDOW - self.under_way - leaving

    @property
    def pausing(self) -> bool:
        """Whether a failure was the last that was heard, so that nothing is sent for a while."""
        return self._now() < self._not_before

    def sent(self, rows: int) -> None:
        """Rows were sent."""
        self.under_way += rows

    def ended(self, *, acknowledged: bool) -> None:
        """A row came to an end. A pause follows a failure, and each after the pause before doubles it."""
        self.under_way -= 1
        if acknowledged:
            self._pause, self._not_before = _FIRST_PAUSE_SECONDS, 0.0
        elif self._now() >= self._not_before:
            self._not_before = self._now() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
