"""The file of the local log: appending with a sync, reading back.

The rollback journal is used, not the write-ahead log: several processes may write to one file here (a reload
overlaps two workers).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import strict_json
from gateway.errors import Unavailable
from gateway.model import Outcome, Placement, Record, StoredRecord
from gateway.publishing import database
from gateway.publishing.database import Database

NAME = "log.sqlite3"
PARTITION = 0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL, offset INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    key BLOB NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL,
    UNIQUE (topic, offset));
"""
_INSERT = "INSERT INTO records (topic, offset, timestamp, key, value, headers) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = """
SELECT position, topic, offset, timestamp, key, value, headers FROM records
WHERE position > ? ORDER BY position LIMIT ?
"""
_NEXT_OFFSET = "SELECT coalesce(max(offset) + 1, 0) FROM records WHERE topic = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(StoredRecord):
    """A record of the local log; positions grow over all topics in the order of acceptance."""

    position: int


class LogFile(Database):
    """The file, open for appending."""

    def __init__(self, folder: Path) -> None:
        """Open or make it. Raises OSError or database.Error."""
        super().__init__(folder / NAME, _SCHEMA, "TRUNCATE")
        self._offsets: dict[str, int] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One synced commit; other processes write before and after it."""
        self._offsets.clear()
        with super().transaction():
            yield

    def append(self, records: Sequence[Record]) -> tuple[Placement, ...]:
        """Write each record at the next offset of its topic, within a transaction."""
        now = time.time_ns() // 1_000_000
        return tuple(self._insert(record, now) for record in records)

    def _insert(self, record: Record, now: int) -> Placement:
        offset = self._offsets.get(record.topic)
        if offset is None:
            (offset,) = self.execute(_NEXT_OFFSET, (record.topic,)).fetchone()
        self._offsets[record.topic] = offset + 1
        headers = strict_json.dump([(name, value.decode()) for name, value in record.headers]).decode()
        row = (record.topic, offset, now, record.key, record.value, headers)
        self.execute(_INSERT, row)
        return Placement(Outcome.PUBLISHED, PARTITION, offset)


def read(folder: Path, after: int = 0, limit: int = 500) -> Iterator[Entry]:
    """Read records in the order they were accepted, from the position after ``after``.

    Nothing when there is no file. Raises Unavailable when it cannot be read.
    """
    for position, topic, offset, timestamp, key, value, headers in _query(folder, _SELECT, after, limit):
        decoded = tuple((name, text.encode()) for name, text in strict_json.parse(headers.encode()))
        yield Entry(
            position=position,
            topic=topic,
            partition=PARTITION,
            offset=offset,
            timestamp=timestamp,
            key=key,
            value=value,
            headers=decoded,
        )


def end(folder: Path) -> int:
    """Give the position of the newest record, 0 when there is none. Raises Unavailable."""
    found = _query(folder, "SELECT coalesce(max(position), 0) FROM records")
    return int(found[0][0]) if found else 0


def _query(folder: Path, statement: str, *values: int) -> list[Any]:
    path = folder / NAME
    try:
        return database.query(path, statement, values)
    except database.Error as error:
        raise Unavailable(f"the local log {path} cannot be read: {error}") from error
