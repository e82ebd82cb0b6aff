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
_SUFFIXES = ("", "-wal", "-shm", "-journal")
PAGE_BYTES = 4_096
# SQLite's primary codes for a file whose bytes are not what it wrote. The version and the tables are told by
# bytes too: READONLY and ERROR.
_DAMAGED = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_ERROR}
)

Error = sqlite3.Error


class Damaged(sqlite3.DatabaseError):
    """A file does not hold what was written."""


class Database:
    """One file, open for writing by one thread. Every method raises ``Error``; then it is opened afresh,
    since a file that refused a sync must never be synced again.
    """

    def __init__(self, path: Path, schema: str, journal: Literal["TRUNCATE", "WAL"]) -> None:
        """Open or make the file and its folder. Raises OSError or Error.

        ``WAL`` costs one sync a commit instead of two, but only one process may have the file open: SQLite
        before 3.51.3 can corrupt a write-ahead log that two of them write.
        """
        make_folder(path.parent)
        if not size(path) and size(Path(f"{path}-wal")):
            raise Damaged("the file is empty and its log is not")  # SQLite would throw the log away
        self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._connection.text_factory = _text
        try:
            self._connection.execute(f"PRAGMA journal_mode={journal}")
            self._connection.execute("PRAGMA synchronous=FULL")
            # Some builds write zeros over what is deleted, which takes longer than the rest together.
            self._connection.execute("PRAGMA secure_delete=OFF")
            self._connection.executescript(f"BEGIN IMMEDIATE; {schema} {_TRIAL} COMMIT;")
            # After a sync that failed, what the log says may not be on the disk: it must be written anew.
            self.settle()
        except UnicodeDecodeError as error:  # SQLite quotes what is damaged, and Python cannot read it
            self._connection.close()
            raise Damaged(str(error)) from error
        except BaseException:
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

    def whole(self) -> bool:
        """Read the file to see whether it hangs together; what is within the rows is not looked at."""
        self._connection.execute("DELETE FROM trial")  # raises when the file says that it must not be written
        return bool(self._connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))

    def settle(self) -> None:
        """Bring all that was committed into the file itself, out of the log beside it."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def shrink(self) -> None:
        """Give the room of deleted rows back to the disk, if what is left is little."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        if free and (pages - free) * PAGE_BYTES <= _TRIAL_BYTES:
            self._connection.execute("VACUUM")

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def is_damaged(error: BaseException) -> bool:
    """Tell a file with wrong bytes in it from a disk that refuses."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, Damaged) or (code is not None and code & 0xFF in _DAMAGED)


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


def make_folder(folder: Path) -> None:
    """Make the folder, and have its name synced: SQLite syncs only what is within it. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(folder: Path) -> None:
    """Have the names in a folder synced. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reserve(path: Path, room: int) -> None:
    """Keep room on the disk, by a file that stands for it. Raises OSError."""
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Remove a file that is closed, with what SQLite put beside it. Raises OSError."""
    for suffix in _SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Give a file that is closed another name, with its log. Raises OSError.

    The log goes first, lest it be taken for that of the next file of this name.
    """
    Path(f"{path}-shm").unlink(missing_ok=True)
    for suffix in ("-journal", "-wal", ""):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").rename(f"{target}{suffix}")


def reader(path: Path) -> sqlite3.Connection:
    """Open a file that may be damaged, and change nothing in it. Raises Error."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.text_factory = _text
    return connection


def size(path: Path) -> int:
    """Say how many bytes a file has; none when it is not there."""
    return path.stat().st_size if path.exists() else 0


def _text(data: bytes) -> str:
    """Decode what may be damaged: an error here would hide which row it is in."""
    return data.decode(errors="replace")
