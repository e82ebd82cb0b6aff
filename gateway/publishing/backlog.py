"""What waits in the spool, as far as decisions need it: records and bytes, and the keys that must queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gateway.model import Record
from gateway.publishing.spool_file import Waiting


class Backlog:
    """Counts in and out; used under its owner's lock.

    A lane is in it while it has records that the client does not hold (``handed``): what comes next in that
    lane has to queue behind them. Behind records that the client does hold it may go to the client.
    """

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
        """Whether a record of that topic and key waits that the client does not hold."""
        return lane in self._lanes

    @property
    def full(self) -> bool:
        """Whether an average record would not fit, so that readiness tells before the last byte is taken."""
        return self.bytes + self.bytes / max(self.records, 1) > self._max_bytes

    def has_room(self, record: Record) -> bool:
        """Whether the record fits."""
        return self.bytes + record.size <= self._max_bytes

    def add(self, record: Record, *, handed: bool = False) -> None:
        """A record waits."""
        self.added += 1
        self._count(1, record.size)
        if not handed:
            self.take_back(record)

    def remove(self, record: Record, *, handed: bool = False) -> None:
        """A record waits no more."""
        self._count(-1, -record.size)
        if not handed:
            self.hand(record)

    def hand(self, record: Record) -> None:
        """The client has a record that waits."""
        self._count_lane(record.lane, -1)

    def take_back(self, record: Record) -> None:
        """The client does not have it, or has given it up."""
        self._count_lane(record.lane, 1)

    def load(self, waiting: Iterable[Waiting]) -> None:
        """Count in what was found in files."""
        for found in waiting:
            self.added += found.rows
            self._count(found.rows, found.bytes)
            self._count_lane((found.topic, found.key), found.rows)

    def clear(self) -> None:
        """Nothing waits."""
        self._lanes.clear()
        self.records = self.bytes = 0

    def _count(self, records: int, size: int) -> None:
        self.records += records
        self.bytes += size

    def _count_lane(self, lane: tuple[str, bytes], records: int) -> None:
        self._lanes[lane] += records
        if self._lanes[lane] <= 0:
            del self._lanes[lane]
