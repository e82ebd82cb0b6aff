"""The file of the local log: appending with a sync, reading back. The one door to SQLite.

The rollback journal is used, not the write-ahead log: several processes may write to one file here (a reload
overlaps two workers), and SQLite before 3.51.3 can corrupt a write-ahead log under that.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import strict_json
from gateway.errors import Unavailable
from gateway.model import Outcome, Placement, Record, StoredRecord

NAME = "log.sqlite3"
PARTITION = 0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL, offset INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    key BLOB NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL,
    UNIQUE (topic, offset));
CREATE TABLE IF NOT EXISTS trial (filler BLOB);
"""
_INSERT = "INSERT INTO records (topic, offset, timestamp, key, value, headers) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = """
SELECT position, topic, offset, timestamp, key, value, headers FROM records
WHERE position > ? ORDER BY position LIMIT ?
"""
_NEXT_OFFSET = "SELECT coalesce(max(offset) + 1, 0) FROM records WHERE topic = ?"
_TRIAL_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(StoredRecord):
    """A record of the local log; positions grow over all topics in the order of acceptance."""

    position: int


class LogFile:
    """The file, open for appending. Every method raises sqlite3.Error; then it has to be opened afresh."""

    def __init__(self, folder: Path) -> None:
        """Open or make it. Raises OSError or sqlite3.Error."""
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / NAME, timeout=5, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=TRUNCATE")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def append(self, requests: Sequence[Sequence[Record]]) -> list[tuple[Placement, ...]]:
        """Write all requests in one synced transaction, each record at the next offset of its topic."""
        now = time.time_ns() // 1_000_000
        offsets: dict[str, int] = {}
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            placements = [tuple(self._insert(record, now, offsets) for record in r) for r in requests]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return placements

    def try_to_grow(self) -> None:
        """Write, sync and take away as much as the largest record, to learn whether the disk takes it."""
        self._connection.execute("INSERT INTO trial VALUES (zeroblob(?))", (_TRIAL_BYTES,))
        self._connection.execute("DELETE FROM trial")

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _insert(self, record: Record, now: int, offsets: dict[str, int]) -> Placement:
        offset = offsets.get(record.topic)
        if offset is None:
            (offset,) = self._connection.execute(_NEXT_OFFSET, (record.topic,)).fetchone()
        offsets[record.topic] = offset + 1
        headers = strict_json.dump([(name, value.decode()) for name, value in record.headers]).decode()
        row = (record.topic, offset, now, record.key, record.value, headers)
        self._connection.execute(_INSERT, row)
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


def _query(folder: Path, query: str, *parameters: int) -> list[Any]:
    path = folder / NAME
    if not path.exists():
        return []
    try:
        # Not read-only: the journal of a killed gateway has to be rolled back before the file can be read.
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)
        ) as connection:
            return connection.execute(query, parameters).fetchall()
    except sqlite3.Error as error:
        if "no such table" in str(error):
            return []
        raise Unavailable(f"the local log {path} cannot be read: {error}") from error
