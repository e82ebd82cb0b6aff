"""Reads what is left of a damaged SQLite file."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.publishing import database

_PAGE_COUNT = slice(28, 32)  # in the head of the first page
_LAST_ID = 2**63 - 1
_MOST_FAULTS = 30_000
_UNREADABLE = (database.Error, UnicodeDecodeError)  # a message may quote what is damaged

Execute = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]
Good = Callable[[Sequence[Any]], bool]


def readable_rows(path: Path, model: Path, table: str, columns: str, good: Good) -> Iterator[Sequence[Any]]:
    """Give every row of a damaged file that can still be read, some twice. Raises OSError or Error.

    ``columns`` begins with the ``id``. ``model`` is a sound file with the same tables: its first page stands
    in for one that is damaged. ``good`` tells whether a row is as it was written, with its id.
    """
    if _same_head(path, model, table, columns):
        with closing(database.reader(path)) as connection:
            yield from _walk(connection.execute, table, columns, good)
        return
    copy = path.with_name(f"{path.name}.copy")
    try:
        _graft(path, model, copy)
        with closing(database.reader(copy)) as connection:
            yield from _walk(connection.execute, table, columns, good)
    finally:
        database.remove(copy)


def _same_head(path: Path, model: Path, table: str, columns: str) -> bool:
    """Whether the first page of a file says what it should."""
    if not database.size(path):
        return False  # not even asked: SQLite would throw its log away
    root = f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'"
    try:
        with closing(database.reader(path)) as connection, closing(database.reader(model)) as sound:
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            same = bool(connection.execute(root).fetchall() == sound.execute(root).fetchall())
            return same and pages * database.PAGE_BYTES >= database.size(path)
    except _UNREADABLE:
        return False


def _graft(path: Path, model: Path, copy: Path) -> None:
    """Copy a file, with the first page of another."""
    database.remove(copy)
    copy.touch()
    for suffix in ("", "-wal"):
        if database.size(Path(f"{path}{suffix}")):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    with model.open("rb") as source:
        page = bytearray(source.read(database.PAGE_BYTES))
    page[_PAGE_COUNT] = bytes(4)  # unknown: as many as the file has
    with copy.open("r+b") as target:
        target.write(page)


def _walk(execute: Execute, table: str, columns: str, good: Good) -> Iterator[Sequence[Any]]:
    """Halve what cannot be read until what is left of it is a single id, the largest parts first."""
    statement = f"SELECT {columns} FROM {table} WHERE id >= ? ORDER BY id"
    parts = deque([(1, _LAST_ID)])
    for _ in range(_MOST_FAULTS):
        if not parts:
            return
        first, last = parts.popleft()
        try:
            for row in execute(statement, (first,)):
                if good(row):  # otherwise its id says nothing
                    if row[0] > last:
                        break
                    first = max(first, row[0] + 1)
                yield row
        except _UNREADABLE:
            middle = (first + last) // 2
            if first < last:
                parts += [(first, middle), (middle + 1, last)]
