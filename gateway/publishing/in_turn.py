"""Hands things on in the order they came, though they become ready in any order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class InTurn(Generic[Item]):
    """A line without a thread of its own: whoever makes the first in line ready hands on."""

    def __init__(self, hand_on: Callable[[Item], None]) -> None:
        """``hand_on`` is called for one item at a time, outside any lock; it must not raise."""
        self._hand_on = hand_on
        self._line: deque[Item] = deque()
        self._ready: set[Item] = set()
        self._busy = False
        self._changed = threading.Condition()

    def join(self, item: Item) -> None:
        """Take a place in the line."""
        with self._changed:
            self._line.append(item)

    def ready(self, item: Item) -> None:
        """Hand the item on as soon as all before it are handed on."""
        with self._changed:
            self._ready.add(item)
            if self._busy:
                return  # whoever is at it comes to this one too
            self._busy = True
        while (first := self._next()) is not None:
            self._hand_on(first)

    def wait(self, seconds: float) -> None:
        """Wait until the line is empty, but no longer than that."""
        with self._changed:
            self._changed.wait_for(lambda: not self._line and not self._busy, seconds)

    def _next(self) -> Item | None:
        with self._changed:
            if self._line and self._line[0] in self._ready:
                self._ready.discard(self._line[0])
                return self._line.popleft()
            self._busy = False
            self._changed.notify_all()
            return None
