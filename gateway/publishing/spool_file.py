"""The files of the spool: what was acknowledged and is not on Kafka yet.

One file a worker process, ``spool-<slot>.sqlite3`` in the data folder, held by a lock on
``spool-<slot>.lock`` that ends with its process. What a process left behind is adopted by another that runs,
through the same lock.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from gateway import strict_json
from gateway.model import Record
from gateway.publishing import damaged_file, database
from gateway.publishing.database import Database
from gateway.publishing.file_lock import Lock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received INTEGER NOT NULL,
    topic TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL,
    checksum INTEGER NOT NULL, size INTEGER NOT NULL, parked TEXT);
CREATE INDEX IF NOT EXISTS parked ON records (id) WHERE parked IS NOT NULL;
"""
_COLUMNS = "id, received, topic, key, value, headers, checksum, size, parked"
_INSERT = f"INSERT INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SUMMARY = """
SELECT topic, key, count(*), CAST(total(size) AS INTEGER)
FROM records WHERE parked IS NULL GROUP BY topic, key
"""
_LAST_ID = """
SELECT max(coalesce((SELECT max(id) FROM records), 0),
    coalesce((SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = 'records'), 0))
"""
_OLDEST = "SELECT CAST(received AS INTEGER) FROM records WHERE parked IS NULL ORDER BY id LIMIT 1"
_SALVAGED = ".salvaged"
_MOST_ROWS_A_COMMIT = 100
DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Row:
    """A record in a spool file. ``received`` is milliseconds since 1970.

    ``parked`` says why the row is not sent any more; it stays until somebody replays it.
    """

    id: int
    received: int
    record: Record
    parked: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows of a key in a topic wait, and their bytes together."""

    topic: str
    key: bytes
    rows: int
    bytes: int


class SpoolFile(Database):
    """One file, written by one process."""

    def __init__(self, path: Path) -> None:
        """Open or make it. Raises OSError or database.Error."""
        _take_place(path)
        super().__init__(path, _SCHEMA, "WAL")
        self.path = path

    def append(self, records: Iterable[Record]) -> list[int]:
        """Write records behind all others and give their ids, which grow and are never used twice."""
        now = time.time_ns() // 1_000_000
        return [self._insert(id, now, record, None) for id, record in enumerate(records, self.last_id() + 1)]

    def rows(self, after: int = 0, *, parked: bool = False) -> Iterator[Row]:
        """Give rows by id: those that wait, or those that are parked.

        A row whose bytes are not what was written is parked, and not given.
        """
        condition = f"parked IS {'NOT ' if parked else ''}NULL AND id > ?"
        for values in self.execute(f"SELECT {_COLUMNS} FROM records WHERE {condition} ORDER BY id", (after,)):
            if values[0] <= after:
                raise database.Damaged("rows are out of order, so their ids would not find them")
            after = values[0]
            if parked or _is_good(values):
                yield _row(values)
            else:
                self.park(after, DAMAGED)

    def whole(self) -> bool:
        """Read the file to see whether it hangs together; damage within rows is met when they are read."""
        self.execute(f"SELECT {_COLUMNS} FROM records LIMIT 0")
        self.last_id()
        return super().whole()

    def copy(self, row: Row) -> None:
        """Write a row as it is, under its id; under a new one if another row has that."""
        content = row.received, row.record, row.parked
        found = self.execute(f"SELECT {_COLUMNS} FROM records WHERE id = ?", (row.id,)).fetchone()
        if found is None:
            self._insert(row.id, *content)
        elif _row(found) != row:
            self._insert(self.last_id() + 1, *content)

    def delete(self, ids: Iterable[int]) -> None:
        """Delete rows."""
        self.execute_many("DELETE FROM records WHERE id = ?", [(id,) for id in ids])

    def park(self, id: int, reason: str) -> None:
        """Leave a row aside."""
        self.execute("UPDATE records SET parked = ? WHERE id = ?", (reason, id))

    def waiting(self) -> list[Waiting]:
        """Give each key that has rows waiting, topic by topic."""
        return [Waiting(*values) for values in self.execute(_SUMMARY)]

    def oldest(self) -> int | None:
        """Say when the first row that waits was received."""
        found = self.execute(_OLDEST).fetchone()
        return found[0] if found else None

    def parked(self) -> int:
        """Count the parked rows."""
        return int(self.execute("SELECT count(*) FROM records WHERE parked IS NOT NULL").fetchone()[0])

    def last_id(self) -> int:
        """Give the newest id that was ever used."""
        return int(self.execute(_LAST_ID).fetchone()[0])

    def _insert(self, id: int, received: int, record: Record, parked: str | None) -> int:
        headers = strict_json.dump([(name, value.decode()) for name, value in record.headers]).decode()
        content = (id, received, record.topic, record.key, record.value, headers)
        self.execute(_INSERT, (*content, _checksum(*content), record.size, parked))
        return id


def file_name(slot: int) -> str:
    """Name the file of a slot."""
    return f"spool-{slot}.sqlite3"


def files(folder: Path) -> list[Path]:
    """Give the spool files of the folder, whoever holds them."""
    found = {*folder.glob("spool-*.sqlite3"), *folder.glob(f"spool-*.sqlite3{_SALVAGED}")}
    return sorted({path.with_name(path.name.removesuffix(_SALVAGED)) for path in found})


def lock(path: Path) -> Lock | None:
    """Take a spool file for this process; None when a process has it."""
    try:
        return Lock(path.with_suffix(".lock"))
    except BlockingIOError:
        return None


@contextmanager
def stopped(folder: Path) -> Iterator[list[SpoolFile]]:
    """Hold and open every file that no running gateway holds. Raises OSError or database.Error."""
    with ExitStack() as held:
        opened = []
        for path in files(folder):
            if taken := lock(path):
                held.callback(taken.close)
                opened.append(SpoolFile(path))
                held.callback(opened[-1].close)
        yield opened


def read_back(folder: Path) -> list[Row]:
    """Give every row in the files that no running gateway holds, parked ones too."""
    with stopped(folder) as opened:
        return [row for file in opened for kind in (False, True) for row in file.rows(parked=kind)]


def salvage(path: Path) -> int:
    """Write what can be read of a damaged file into a new one that takes its place; count the rows saved.

    The damaged file is kept under another name. Nothing changes until the new one is whole, so this may be
    killed and begun again. Raises OSError or database.Error.
    """
    part = Path(f"{path}.part")
    database.remove(part)
    fresh = SpoolFile(part)
    try:
        # Some process may still speak of an id that cannot be read any more, so none below is used again.
        fresh.execute("INSERT INTO sqlite_sequence VALUES ('records', ?)", (time.time_ns() // 1_000,))
        rows = damaged_file.readable_rows(path, part, "records", _COLUMNS, _is_good)
        saved = 0
        while some := list(islice(rows, _MOST_ROWS_A_COMMIT)):
            with fresh.transaction():
                for values in some:
                    row = _row(values)
                    fresh.copy(row if _is_good(values) else replace(row, parked=DAMAGED))
            saved += len(some)
        fresh.settle()
    finally:
        fresh.close()
    part.rename(f"{path}{_SALVAGED}")
    _take_place(path)
    return saved


def _take_place(path: Path) -> None:
    """Put what was salvaged, if anything was, in the place of the damaged file."""
    salvaged = Path(f"{path}{_SALVAGED}")
    if salvaged.exists():
        database.sync(path.parent)
        database.move(path, Path(f"{path}.damaged-{salvaged.stat().st_mtime_ns}"))
        database.sync(path.parent)
        salvaged.rename(path)
        database.sync(path.parent)


def _is_good(values: Sequence[object]) -> bool:
    """Whether a row, by its columns, holds what was written."""
    return _checksum(*values[:6]) == values[6]


def _row(values: Sequence[object]) -> Row:
    id, received, topic, key, value, headers, _, _, parked = values
    try:
        pairs = strict_json.parse(str(headers).encode())
        decoded = tuple((str(name), text.encode()) for name, text in pairs)
    except Exception:  # a damaged row is shown as far as it can be
        decoded = ()
    record = Record(topic=str(topic), key=_bytes(key), value=_bytes(value), headers=decoded)
    at = received if isinstance(received, int) else 0
    return Row(int(str(id)), at, record, None if parked is None else str(parked))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _checksum(*content: object) -> int:
    checksum = 0
    for part in content:
        data = _bytes(part)
        checksum = zlib.crc32(data, zlib.crc32(b"%d," % len(data), checksum))
    return checksum
