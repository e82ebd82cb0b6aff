"""The spool files that a process holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from gateway.publishing import database, spool_file
from gateway.publishing.file_lock import Lock

logger = logging.getLogger(__name__)

OWN = 0


@dataclass(slots=True)
class Holdings:
    """Which files this process holds; outlives their being opened and closed."""

    folder: Path
    held: dict[int, tuple[Path, Lock]] = field(default_factory=dict)
    whole: set[Path] = field(default_factory=set)  # files that were looked through
    refused: set[Path] = field(default_factory=set)  # files that could not be adopted, and were told of
    last: int | None = None  # the newest row of ours that is known to be committed
    letters: set[int] = field(default_factory=set)  # dead letters behind it, which stand for older rows
    numbers: Iterator[int] = field(default_factory=lambda: count(-1, -1))

    def claim(self) -> None:
        """Take the first slot that no other process has. Raises OSError."""
        if OWN in self.held:
            return
        database.make_folder(self.folder)
        slots = (self.folder / spool_file.file_name(slot) for slot in count())
        self.held[OWN] = next((path, lock) for path in slots if (lock := spool_file.lock(path)))

    def committed(self, last: int) -> None:
        """All rows up to this one of ours are on the disk."""
        self.last = last
        self.letters.clear()

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
            reserve(path).unlink(missing_ok=True)
        finally:
            self.let_go(number)

    def tell(self, path: Path, error: Exception) -> None:
        """Log once that a file cannot be adopted."""
        if path not in self.refused:
            self.refused.add(path)
            logger.error("a spool file cannot be adopted", extra={"file": path.name, "error": repr(error)})


def reserve(path: Path) -> Path:
    """Name the file that keeps room beside a spool file."""
    return path.with_suffix(".reserve")
