"""What is counted for every request, added up before the library is told of it.

The library takes a lock for every number, three times a duration. Here a number is noted, and some hundreds
are told at once. Whoever reads the metrics has it added up first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Numbers
from collections import defaultdict, deque

from prometheus_client import Counter, Histogram

_MOST = 512  # noted, before somebody who notes adds them up

Series = Counter | Histogram


class Tally:
    """Notes numbers, in any thread."""

    def __init__(self) -> None:
        self._noted: deque[tuple[Series, float]] = deque()

    def note(self, series: Series, number: float) -> None:
        """Note what a counter grows by, or what a histogram observes."""
        self._noted.append((series, number))
        if len(self._noted) >= _MOST:
            self.add_up()

    def add_up(self) -> None:
        """Tell the library all that was noted."""
        numbers: dict[Series, list[float]] = defaultdict(list)
        for _ in range(len(self._noted)):
            try:
                series, number = self._noted.popleft()
            except IndexError:  # another thread has it
                break
            numbers[series].append(number)
        for series, noted in numbers.items():
            if isinstance(series, Counter):
                series.inc(sum(noted))
            else:
                _observe(series, noted)


def tell(series: Series, number: float) -> None:
    """Tell the library of one number, at once."""
    if isinstance(series, Counter):
        series.inc(number)
    else:
        series.observe(number)


def _observe(histogram: Histogram, numbers: list[float]) -> None:
    """Do what ``observe`` does for each; the tests hold the two together."""
    histogram._sum.inc(sum(numbers))
    for bucket, count in Numbers(bisect_left(histogram._upper_bounds, each) for each in numbers).items():
        histogram._buckets[bucket].inc(count)
