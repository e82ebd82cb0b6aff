"""The spool of one process: its own file, and those it adopted from processes that ended."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from gateway.model import Record
from gateway.publishing import database, spool_file
from gateway.publishing.file_lock import Lock
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.spool_file import Row, SpoolFile, Waiting

logger = logging.getLogger(__name__)

# File and id. They sort in the order in which rows are sent: adopted files, whose numbers are below zero,
# hold what is older than anything in our own, which is number 0.
RowId = tuple[int, int]
Found = tuple[RowId, Row]

OWN = 0
START: RowId = (-(2**31), 0)
_MOST_BYTES = 1_000_000
_RESERVE_BYTES = 2**23  # what SQLite may need to delete rows


@dataclass(slots=True)
class _Holdings:
    """Which files this process holds; outlives their being opened and closed."""

    folder: Path
    held: dict[int, tuple[Path, Lock]] = field(default_factory=dict)
    whole: set[Path] = field(default_factory=set)  # files that were looked through
    refused: set[Path] = field(default_factory=set)  # files that could not be adopted, and were told of
    numbers: Iterator[int] = field(default_factory=lambda: count(-1, -1))

    def claim(self) -> None:
        """Take the first slot that no other process has. Raises OSError."""
        if OWN in self.held:
            return
        database.make_folder(self.folder)
        slots = (self.folder / spool_file.file_name(slot) for slot in count())
        self.held[OWN] = next((path, lock) for path in slots if (lock := spool_file.lock(path)))

    def others(self) -> list[Path]:
        """Give the files in the folder that are not ours."""
        ours = {path for path, _ in self.held.values()}
        return [path for path in spool_file.files(self.folder) if path not in ours]

    def take(self, path: Path) -> int | None:
        """Hold a file that nobody holds and give its number. Raises OSError."""
        if lock := spool_file.lock(path):
            number = next(self.numbers)  # a new one each time: rows of a former file may be remembered
            self.held[number] = path, lock
            return number
        return None

    def let_go(self, number: int) -> None:
        """Leave a file to others."""
        path, lock = self.held.pop(number)
        self.whole.discard(path)
        lock.close()

    def drop(self, number: int) -> None:
        """Remove an adopted file that has nothing left in it."""
        path, _ = self.held[number]
        try:
            database.remove(path)
            _reserve(path).unlink(missing_ok=True)
        finally:
            self.let_go(number)

    def tell(self, path: Path, error: Exception) -> None:
        """Log once that a file cannot be adopted."""
        if path not in self.refused:
            self.refused.add(path)
            logger.error("a spool file cannot be adopted", extra={"file": path.name, "error": repr(error)})


class SpoolFiles:
    """The files, open; used by one thread within transactions."""

    def __init__(self, holdings: _Holdings) -> None:
        """Open all that is held. Raises OSError or database.Error."""
        self._holdings = holdings
        self._files: dict[int, SpoolFile] = {}
        self._finished: set[int] = set()
        holdings.claim()
        _reserve(holdings.held[OWN][0]).unlink(missing_ok=True)
        try:
            for number in holdings.held:
                self._files[number] = self._open(number)
        except Exception:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing in each file; rows never move between files, so that is enough."""
        for number in self._finished:
            if _is_empty(self._files[number]):
                self._files.pop(number).close()
                self._holdings.drop(number)
        self._finished.clear()
        try:
            with ExitStack() as all_files:
                for file in self._files.values():
                    all_files.enter_context(file.transaction())
                yield
        except database.Error as error:
            if database.is_damaged(error):
                self._holdings.whole.clear()
            raise

    def append(self, records: Sequence[Record]) -> list[RowId]:
        """Write records behind all others."""
        return [(OWN, id) for id in self._files[OWN].append(records)]

    def rows(self, after: RowId, most: int) -> list[Found]:
        """Give the next rows, up to ``most`` and about a megabyte; none at the end."""
        found: list[Found] = []
        size = 0
        for number in sorted(self._files):
            if number < after[0]:
                continue
            start = after[1] if number == after[0] else 0
            for row in self._files[number].rows(start):
                found.append(((number, row.id), row))
                size += row.record.size
                if len(found) == most or size >= _MOST_BYTES:
                    return found
        return found

    def delete(self, ids: Iterable[RowId]) -> None:
        """Delete rows; of a file that is not held any more, none are left."""
        for number, id in ids:
            if number in self._files:
                self._files[number].delete([id])

    def park(self, row: RowId, reason: str) -> None:
        """Leave a row aside, until somebody replays it."""
        if row[0] in self._files:
            self._files[row[0]].park(row[1], reason)

    def put_in_place(self, row: RowId, record: Record) -> None:
        """Write another record instead of a row, behind all others."""
        self._files.get(row[0], self._files[OWN]).append([record])
        self.delete([row])

    def waiting(self) -> list[Waiting]:
        """Give the keys that wait in all files."""
        return [each for file in self._files.values() for each in file.waiting()]

    def look_after(self) -> list[Waiting]:
        """Adopt what ended processes left, let go of adopted files that are empty; give the keys adopted."""
        waiting: list[Waiting] = []
        for path in self._holdings.others():
            try:
                waiting += self._adopt(path)
            except (OSError, database.Error) as error:  # ours go on
                self._holdings.tell(path, error)
        for number, file in self._files.items():
            if number != OWN and _is_empty(file):
                self._finished.add(number)
        return waiting

    def oldest(self) -> int | None:
        """Say when the first row that waits was received, in milliseconds since 1970."""
        return min((at for file in self._files.values() if (at := file.oldest()) is not None), default=None)

    def parked(self) -> int:
        """Count the parked rows."""
        return sum(file.parked() for file in self._files.values())

    def try_to_grow(self) -> None:
        """Learn whether the disk takes a reserve, and another record.

        The reserve is given up with every opening, so after every error: a disk that the spool itself has
        filled must still let its rows be deleted.
        """
        self._files[OWN].shrink()
        database.reserve(_reserve(self._files[OWN].path), _RESERVE_BYTES)
        self._files[OWN].try_to_grow()

    def close(self) -> None:
        """Close the files; they stay held."""
        for file in self._files.values():
            file.close()

    def _adopt(self, path: Path) -> list[Waiting]:
        number = self._holdings.take(path)
        if number is None:
            return []
        try:
            self._files[number] = self._open(number)
        except Exception:
            self._holdings.let_go(number)
            raise
        waiting = self._files[number].waiting()
        rows = sum(each.rows for each in waiting)
        logger.warning("a spool file was adopted", extra={"file": path.name, "rows": rows})
        return waiting

    def _open(self, number: int) -> SpoolFile:
        """Open a file that is held; a damaged one is salvaged first."""
        path, _ = self._holdings.held[number]
        try:
            with ExitStack() as otherwise:
                file = SpoolFile(path)
                otherwise.callback(file.close)
                if path in self._holdings.whole or file.whole():
                    self._holdings.whole.add(path)
                    otherwise.pop_all()
                    return file
        except database.Error as error:
            if not database.is_damaged(error):
                raise
        saved = spool_file.salvage(path)
        logger.error("a spool file was damaged and is set aside", extra={"file": path.name, "saved": saved})
        return SpoolFile(path)


def _reserve(path: Path) -> Path:
    return path.with_suffix(".reserve")


def _is_empty(file: SpoolFile) -> bool:
    return file.oldest() is None and file.parked() == 0


class Spool(GroupCommit[SpoolFiles]):
    """The spool of this process; its files are claimed by its thread, and held until it is closed."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when it is not there."""
        self._holdings = _Holdings(folder)
        super().__init__("spool", lambda: SpoolFiles(self._holdings))

    def close(self) -> None:
        """Write what was given, then let go of the files."""
        super().close()
        if not self.running:
            for number in list(self._holdings.held):
                self._holdings.let_go(number)
