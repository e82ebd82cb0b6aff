"""What waits in the spool, as far as decisions need it: keys of topics, records and bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gateway.model import Record
from gateway.publishing.spool_file import Waiting


class Backlog:
    """Counts in and out; used under its owner's lock."""

    def __init__(self, max_bytes: int) -> None:
        """``max_bytes`` bounds the records in the spool."""
        self._max_bytes = max_bytes
        self._lanes: Counter[tuple[str, bytes]] = Counter()
        self.records = 0
        self.bytes = 0
        self.added = 0  # ever

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.records or self._lanes)

    def __contains__(self, lane: tuple[str, bytes]) -> bool:
        """Whether a record of that topic and key waits."""
        return lane in self._lanes

    @property
    def full(self) -> bool:
        """Whether an average record would not fit, so that readiness tells before the last byte is taken."""
        return self.bytes + self.bytes / max(self.records, 1) > self._max_bytes

    def has_room(self, record: Record) -> bool:
        """Whether the record fits."""
        return self.bytes + record.size <= self._max_bytes

    def add(self, record: Record) -> None:
        """A record waits."""
        self.added += 1
        self._count(record.lane, 1, record.size)

    def remove(self, record: Record) -> None:
        """A record waits no more."""
        self._count(record.lane, -1, -record.size)

    def load(self, waiting: Iterable[Waiting]) -> None:
        """Count in what was found in files."""
        for found in waiting:
            self.added += found.rows
            self._count((found.topic, found.key), found.rows, found.bytes)

    def clear(self) -> None:
        """Nothing waits."""
        self._lanes.clear()
        self.records = self.bytes = 0

    def _count(self, lane: tuple[str, bytes], records: int, size: int) -> None:
        self.records += records
        self.bytes += size
        self._lanes[lane] += records
        if self._lanes[lane] <= 0:
            del self._lanes[lane]
