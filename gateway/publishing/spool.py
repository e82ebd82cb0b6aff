"""The spool of one process: its own file, and those it adopted from processes that ended."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.model import Record
from gateway.publishing import database, spool_file
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.holdings import OWN, Holdings, reserve
from gateway.publishing.spool_file import Row, SpoolFile, Waiting

logger = logging.getLogger(__name__)

# File and id. They sort in the order in which rows are sent: adopted files, whose numbers are below zero,
# hold what is older than anything in our own, which is number 0.
RowId = tuple[int, int]
Found = tuple[RowId, Row]

START: RowId = (-(2**31), 0)
_MOST_BYTES = 1_000_000
_RESERVE_BYTES = 2**23  # what SQLite may need to delete rows


class SpoolFiles:
    """The files, open; used by one thread within transactions."""

    def __init__(self, holdings: Holdings) -> None:
        """Open all that is held. Raises OSError or database.Error."""
        self._holdings = holdings
        self._files: dict[int, SpoolFile] = {}
        self._finished: set[int] = set()
        self._last = 0  # id in our own file
        holdings.claim()
        reserve(holdings.held[OWN][0]).unlink(missing_ok=True)
        try:
            for number in holdings.held:
                self._files[number] = self._open(number)
            self._bury()
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
        known = set(self._files)
        try:
            with ExitStack() as all_files:
                for file in self._files.values():
                    all_files.enter_context(file.transaction())
                yield
            self._holdings.committed(self._last)
        except Exception as error:
            if database.is_damaged(error):
                self._holdings.whole.clear()
            for number in self._files.keys() - known:  # nobody hears what waits in them, so: once more
                self._let_go(number)
            raise

    def append(self, records: Sequence[Record]) -> list[RowId]:
        """Write records behind all others."""
        ids = self._files[OWN].append(records)
        self._last = max(self._last, *ids)
        return [(OWN, id) for id in ids]

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
        if row[0] in self._files and row[0] != OWN:
            self._files[row[0]].append([record])
        else:
            self.append([record])
            self._holdings.letters.add(self._last)
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
        database.reserve(reserve(self._files[OWN].path), _RESERVE_BYTES)
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
            waiting = self._files[number].waiting()
        except Exception:
            self._let_go(number)
            raise
        rows = sum(each.rows for each in waiting)
        logger.warning("a spool file was adopted", extra={"file": path.name, "rows": rows})
        return waiting

    def _let_go(self, number: int) -> None:
        if file := self._files.pop(number, None):
            file.close()
        self._holdings.let_go(number)

    def _bury(self) -> None:
        """Take out what a failed commit has left on the disk all the same.

        Whoever gave it was told that it failed, and nobody counts it; what it was may be on Kafka by now.
        """
        own = self._files[OWN]
        if self._holdings.last is not None:
            behind = [row.id for row in own.rows(self._holdings.last)]
            own.delete(id for id in behind if id not in self._holdings.letters)
        self._last = own.last_id()
        self._holdings.committed(self._last)

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
        if number == OWN:
            self._holdings.last = None  # some rows have new ids
        saved = spool_file.salvage(path)
        logger.error("a spool file was damaged and is set aside", extra={"file": path.name, "saved": saved})
        return SpoolFile(path)


def _is_empty(file: SpoolFile) -> bool:
    return file.oldest() is None and file.parked() == 0


class Spool(GroupCommit[SpoolFiles]):
    """The spool of this process; its files are claimed by its thread, and held until it is closed."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when it is not there."""
        self._holdings = Holdings(folder)
        super().__init__("spool", lambda: SpoolFiles(self._holdings))

    def close(self) -> None:
        """Write what was given, then let go of the files."""
        super().close()
        if not self.running:
            for number in list(self._holdings.held):
                self._holdings.let_go(number)
