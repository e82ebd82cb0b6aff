"""SQLite files, opened so that a commit is on the disk: the one door to SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

_TRIAL_BYTES = 1_000_000
_TRIAL = "CREATE TABLE IF NOT EXISTS trial (filler BLOB);"
# SQLite's primary codes for a file whose bytes are not what it wrote.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

Error = sqlite3.Error


class Database:
    """One file, open for writing by one thread. Every method raises ``Error``; then it is opened afresh,
    since a file that refused a sync must never be synced again.
    """

    def __init__(self, path: Path, schema: str, journal: Literal["TRUNCATE", "WAL"]) -> None:
        """Open or make the file and its folder. Raises OSError or Error.

        ``WAL`` costs one sync a commit instead of two, but only one process may have the file open: SQLite
        before 3.51.3 can corrupt a write-ahead log that two of them write.
        """
        _make_folder(path.parent)
        self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute(f"PRAGMA journal_mode={journal}")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(schema + _TRIAL)
        except Error:
            self._connection.close()
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for every row of values."""
        self._connection.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; synced when it ends without an error."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def try_to_grow(self) -> None:
        """Write, sync and take away as much as the largest record, to learn whether the disk takes it."""
        self._connection.execute("INSERT INTO trial VALUES (zeroblob(?))", (_TRIAL_BYTES,))
        self._connection.execute("DELETE FROM trial")

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def is_damaged(error: BaseException) -> bool:
    """Tell a file with wrong bytes in it from a disk that refuses."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def query(path: Path, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    """Read from a file that others may write; nothing when it, or the table, is not there. Raises Error."""
    if not path.exists():
        return []
    try:
        # Not read-only: the journal of a killed gateway has to be rolled back before the file can be read.
        address = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as connection:
            return connection.execute(statement, values).fetchall()
    except Error as error:
        if "no such table" in str(error):
            return []
        raise


def _make_folder(folder: Path) -> None:
    """Make the folder, and have its name synced: SQLite syncs only what is within it."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
