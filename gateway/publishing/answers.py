"""One lock for everything that changes together; requests are answered after it is let go."""

from __future__ import annotations

import threading
from itertools import groupby
from operator import itemgetter

from gateway.publishing.client import End
from gateway.publishing.request import Item, Request


class Answers:
    """A lock that may be taken again by the thread that has it.

    What waits for a request runs in the thread that answers it, and may well publish: under the lock that
    would be a deadlock in waiting.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._ends: list[tuple[Request, int, End]] = []

    def locked(self) -> Answers:
        """Hold the lock in a ``with``; answer what was added when it is let go."""
        return self

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        """Whatever went wrong, what was added has ended."""
        ends: list[tuple[Request, int, End]] = []
        self._depth -= 1
        if not self._depth:
            ends, self._ends = self._ends, ends
        self._lock.release()
        if len(ends) == 1:  # as it is for all but batches
            ((request, index, end),) = ends
            request.end([(index, end)])
            return
        for request, ended in groupby(ends, itemgetter(0)):
            request.end([(index, end) for _, index, end in ended])

    def add(self, item: Item, end: End) -> None:
        """Answer for an item, if a request still asks; called with the lock held."""
        if item.request is not None:
            self._ends.append((item.request, item.index, end))
