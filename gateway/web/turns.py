"""Who is refused gives way to whose event is taken.

To refuse a request costs more than to take one, and whoever is refused can ask again at once, while an event
waits for Kafka: a flood of invalid events would have the loop for itself. So while any event waits, the
answers to refusals are held back, as if a pause of six times its length was after each.
"""

from __future__ import annotations

from collections.abc import Callable

# Seconds of pause for each second spent on a refusal: so many that valid events keep their part (`mix` of
# `make bench`), since a refusal also costs what is not timed here, its dead letter above all.
_SHARE = 6.0
_LONGEST_SECONDS = 1.0


class Turns:
    """Of one worker; used in its event loop alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` in seconds, monotonic."""
        self._clock = clock
        self._free_at = 0.0
        self.waiting = 0
        """Requests that wait until their events are durable."""

    def hold(self, status: int, seconds: float) -> float:
        """Say for how many seconds to hold back an answer that it took so many to find."""
        if not self.waiting or not 400 <= status < 500:
            return 0.0
        now = self._clock()
        self._free_at = min(max(self._free_at, now) + seconds * _SHARE, now + _LONGEST_SECONDS)
        return self._free_at - now
