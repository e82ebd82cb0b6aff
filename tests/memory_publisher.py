"""A publisher that keeps its records in memory: the fake beside the real ones, under the same contract."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from gateway.errors import Unavailable
from gateway.haste import NO_HASTE, Haste
from gateway.model import Health, Outcome, Placement, Record
from gateway.promises import Promise


class MemoryPublisher:
    """One partition a topic. What can go wrong with a publisher is switched on by the attributes below."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fault: Exception | None = None  # is every answer
        self.faults: dict[str, Exception] = {}  # the answer for a topic
        self.silent = False  # never answers
        self.raises = False  # breaks the protocol
        self.spooling = False  # has no place for a record yet
        self.hastes: list[Haste] = []  # of each call
        self.unanswered: list[Promise[tuple[Placement, ...]]] = []
        self._next_offset: Counter[str] = Counter()
        self._open = False
        self._lock = threading.Lock()

    def start(self) -> None:
        self._open = True

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        future: Promise[tuple[Placement, ...]] = Promise()
        topics = [record.topic for record in records]
        self.hastes.append(haste)
        if self.raises:
            raise RuntimeError("publish must not raise")
        with self._lock:
            if self.silent:
                self.unanswered.append(future)
            elif fault := self.fault or next((self.faults[t] for t in topics if t in self.faults), None):
                future.fail(fault)
            elif records and not self._open:
                future.fail(Unavailable("the gateway is stopping"))
            else:
                future.succeed(tuple([self._append(record) for record in records]))
        return future

    def healthy(self) -> Health:
        ready = self._open and self.fault is None
        return Health(ready, "memory" if ready else "memory is out of order")

    def close(self) -> None:
        self._open = False

    def forget(self) -> None:
        """Forget the records, as if none had come."""
        self.records.clear()
        self._next_offset.clear()

    def _append(self, record: Record) -> Placement:
        offset = self._next_offset[record.topic]
        self._next_offset[record.topic] += 1
        self.records.append(record)
        return Placement(Outcome.SPOOLED) if self.spooling else Placement(Outcome.PUBLISHED, 0, offset)
