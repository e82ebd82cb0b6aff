"""The local log: the embedded stand-in for Kafka, one SQLite file with the same topics, keys and offsets.

A record is durable when its transaction is synced (synchronous=FULL). The rollback journal is used, not the
write-ahead log: several processes may write to one file here (a reload overlaps two workers), and SQLite
before 3.51.3 can corrupt a write-ahead log under that.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from gateway import strict_json
from gateway.errors import Overloaded, Unavailable
from gateway.model import Health, Outcome, Placement, Record
from gateway.publishing.futures import Deadlines, fail, succeed

logger = logging.getLogger(__name__)

FILE = "log.sqlite3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL, offset INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    key BLOB NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL,
    UNIQUE (topic, offset))
"""
_INSERT = "INSERT INTO records (topic, offset, timestamp, key, value, headers) VALUES (?,?,?,?,?,?)"
_PARTITION = 0
_MOST_REQUESTS_A_COMMIT = 200
_MOST_WAITING = 10_000
_RETRY_SECONDS = 2.0

_Job = tuple[tuple[Record, ...], Future[tuple[Placement, ...]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as read back; ``timestamp`` is milliseconds since 1970, as on Kafka."""

    position: int
    topic: str
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class LocalLog:
    """A publisher whose records lie in one file; requests that arrive together share one commit."""

    def __init__(self, folder: Path, ack_timeout: float) -> None:
        """``ack_timeout`` in seconds bounds the wait of a request, whatever the disk does."""
        self._path = folder / FILE
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_MOST_WAITING)
        self._deadlines = Deadlines(ack_timeout)
        self._thread = threading.Thread(target=self._run, name="local-log", daemon=True)
        self._broken: str | None = "not started"
        self._closed = False

    def start(self) -> None:
        """Open the file in a thread of this process."""
        self._deadlines.start()
        self._thread.start()

    def publish(self, records: Sequence[Record]) -> Future[tuple[Placement, ...]]:
        """Append, sync, then give partition 0 and the offset of each."""
        future: Future[tuple[Placement, ...]] = Future()
        if not records:
            succeed(future, ())
        elif self._closed:
            fail(future, Unavailable("the gateway is stopping"))
        else:
            try:
                self._jobs.put_nowait((tuple(records), future))
            except queue.Full:
                fail(future, Overloaded("too many requests are waiting for the disk"))
            late = Unavailable("the disk did not answer in time; the event may have been written")
            self._deadlines.watch(future, lambda: fail(future, late))
        return future

    def healthy(self) -> Health:
        """Ready while the last commit worked."""
        if self._closed:
            return Health(False, "stopping")
        return Health(self._broken is None, "local log" if self._broken is None else "the disk refuses")

    def close(self) -> None:
        """Write what is waiting, then stop."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._deadlines.stop()

    def _run(self) -> None:
        connection = self._try_to_open()
        while (jobs := self._next_jobs()) is not None:
            try:
                connection = connection or _open(self._path)
                placements = _append(connection, [records for records, _ in jobs])
                self._broken = None
            except (sqlite3.Error, OSError) as error:
                self._note(error)
                _discard(connection)
                connection = None
                for _, future in jobs:
                    fail(future, Unavailable("the disk refuses the event"))
            else:
                for (_, future), placed in zip(jobs, placements, strict=True):
                    succeed(future, placed)
        _discard(connection)

    def _try_to_open(self) -> sqlite3.Connection | None:
        """Open before the first event, so that readiness knows what the disk says."""
        try:
            connection = _open(self._path)
        except (sqlite3.Error, OSError) as error:
            self._note(error)
            return None
        self._broken = None
        return connection

    def _note(self, error: Exception) -> None:
        self._broken = str(error)
        logger.error("the local log cannot be written", extra={"error": str(error)})

    def _next_jobs(self) -> list[_Job] | None:
        """Wait for a request, then take all that came meanwhile; None at the end.

        While the disk refuses, an empty list every few seconds: a try, so that readiness can come back.
        """
        try:
            first = self._jobs.get(timeout=_RETRY_SECONDS if self._broken else None)
        except queue.Empty:
            return []
        if first is None:
            return None
        jobs = [first]
        while len(jobs) < _MOST_REQUESTS_A_COMMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            jobs.append(job)
        return jobs


def read(folder: Path, after: int = 0, limit: int = 500) -> Iterator[Entry]:
    """Read records in the order they were accepted, from the position after ``after``. Nothing if no file."""
    path = folder / FILE
    if not path.exists():
        return
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        rows = connection.execute(
            "SELECT position, topic, offset, timestamp, key, value, headers FROM records "
            "WHERE position > ? ORDER BY position LIMIT ?",
            (after, limit),
        ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return
        raise
    finally:
        connection.close()
    for position, topic, offset, timestamp, key, value, headers in rows:
        decoded = tuple((name, text.encode()) for name, text in strict_json.parse(headers.encode()))
        yield Entry(position, topic, offset, timestamp, key, value, decoded)


def end(folder: Path) -> int:
    """Give the position of the newest record, 0 when there is none."""
    path = folder / FILE
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        return int(connection.execute("SELECT coalesce(max(position), 0) FROM records").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("PRAGMA journal_mode=TRUNCATE")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_SCHEMA)
    return connection


def _discard(connection: sqlite3.Connection | None) -> None:
    """Close after a failure: a file that refused a sync is opened afresh, never synced again."""
    if connection is not None:
        try:
            connection.close()
        except sqlite3.Error as error:
            logger.warning("closing the local log failed", extra={"error": str(error)})


def _append(
    connection: sqlite3.Connection, requests: Sequence[Sequence[Record]]
) -> list[tuple[Placement, ...]]:
    """Write all requests in one transaction, each record at the next offset of its topic."""
    now = time.time_ns() // 1_000_000
    offsets: dict[str, int] = {}
    placements: list[tuple[Placement, ...]] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        for records in requests:
            placed = []
            for record in records:
                offset = offsets.get(record.topic)
                if offset is None:
                    offset = _next_offset(connection, record.topic)
                offsets[record.topic] = offset + 1
                headers = strict_json.dump(
                    [(name, value.decode()) for name, value in record.headers]
                ).decode()
                row = (record.topic, offset, now, record.key, record.value, headers)
                connection.execute(_INSERT, row)
                placed.append(Placement(Outcome.PUBLISHED, _PARTITION, offset))
            placements.append(tuple(placed))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return placements


def _next_offset(connection: sqlite3.Connection, topic: str) -> int:
    query = "SELECT coalesce(max(offset) + 1, 0) FROM records WHERE topic = ?"
    return int(connection.execute(query, (topic,)).fetchone()[0])
