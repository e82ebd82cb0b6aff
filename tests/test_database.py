"""What a SQLite file promises beneath the spool and the local log."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.publishing import database
from gateway.publishing.database import Database
from tests.test_local_log import file_size_limit

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, note TEXT);"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[Database]:
    made = Database(path, SCHEMA, "WAL")
    yield made
    made.close()


def notes(path: Path) -> list[str]:
    return [note for (note,) in database.query(path, "SELECT note FROM notes ORDER BY id")]


def write(file: Database, note: str | bytes) -> None:
    file.execute("INSERT INTO notes (note) VALUES (CAST(? AS TEXT))", (note,))


def test_a_transaction_is_seen_when_it_has_ended(file: Database, path: Path) -> None:
    with file.transaction():
        write(file, "a")
        assert notes(path) == []
    assert notes(path) == ["a"]


def test_a_transaction_that_fails_leaves_nothing(file: Database, path: Path) -> None:
    with pytest.raises(ZeroDivisionError), file.transaction():
        write(file, "a")
        raise ZeroDivisionError
    with file.transaction():
        write(file, "b")
    assert notes(path) == ["b"]


@pytest.mark.parametrize("journal", ["WAL", "TRUNCATE"])
def test_tables_are_made_all_or_none(path: Path, journal: str) -> None:
    with pytest.raises(database.Error):
        Database(path, SCHEMA + "CREATE TABLE", journal)  # type: ignore[arg-type]
    assert database.query(path, "SELECT name FROM sqlite_master") == []


@pytest.mark.parametrize("journal", ["WAL", "TRUNCATE"])
def test_every_commit_is_synced_whatever_the_default_of_the_library(path: Path, journal: str) -> None:
    made = Database(path, SCHEMA, journal)  # type: ignore[arg-type]
    try:
        assert made.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    finally:
        made.close()


def test_every_folder_that_is_made_is_synced_into_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    database.make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert synced == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]


def test_what_a_killed_process_left_in_the_log_is_in_the_file_before_anything_is_added(
    file: Database, path: Path, tmp_path: Path
) -> None:
    with file.transaction():
        write(file, "a")
    (tmp_path / "killed").mkdir()
    left = tmp_path / "killed" / path.name
    for suffix in ("", "-wal"):
        Path(f"{left}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    opened = Database(left, SCHEMA, "WAL")
    try:
        assert Path(f"{left}-wal").stat().st_size == 0
        assert notes(left) == ["a"]
    finally:
        opened.close()


def test_text_that_is_not_utf_8_is_given_all_the_same(file: Database) -> None:
    write(file, b"caf\xe9")
    assert file.execute("SELECT note FROM notes").fetchone() == ("caf\N{REPLACEMENT CHARACTER}",)


def test_a_disk_with_room_is_tried_without_a_trace(file: Database) -> None:
    file.try_to_grow()
    assert file.execute("SELECT count(*) FROM trial").fetchone() == (0,)


def test_a_disk_without_room_fails_the_trial_and_is_not_called_damage(file: Database) -> None:
    with file_size_limit(100_000), pytest.raises(database.Error) as caught:
        file.try_to_grow()
    assert not database.is_damaged(caught.value)


def test_a_file_that_is_no_database_is_called_damage(path: Path) -> None:
    path.write_bytes(b"precious" * 1_000)
    with pytest.raises(database.Error) as caught:
        Database(path, SCHEMA, "WAL")
    assert database.is_damaged(caught.value)


def test_damage_that_sqlite_quotes_in_its_message_is_called_damage(file: Database, path: Path) -> None:
    file.close()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE notes", b"CREATE T\xd0BLE notes"))
    with pytest.raises(database.Error) as caught:
        Database(path, SCHEMA, "WAL")
    assert database.is_damaged(caught.value)


def test_a_whole_file_is_told_from_one_with_a_scrambled_page(file: Database, path: Path) -> None:
    with file.transaction():
        for n in range(1_000):
            write(file, f"note {n}")
    assert file.whole()
    file.close()
    content = bytearray(path.read_bytes())
    content[5 * 4_096 : 5 * 4_096 + 100] = b"x" * 100
    path.write_bytes(content)
    scrambled = Database(path, SCHEMA, "WAL")
    try:
        assert not scrambled.whole()
    finally:
        scrambled.close()


def test_the_room_of_deleted_rows_is_given_back_when_little_is_left(file: Database, path: Path) -> None:
    with file.transaction():
        for _ in range(100):
            write(file, "x" * 40_000)
    with file.transaction():
        file.execute("DELETE FROM notes WHERE id BETWEEN 2 AND 50")
    file.shrink()
    file.settle()
    assert path.stat().st_size > 4_000_000, "too much is left to be written anew"
    file.execute("DELETE FROM notes WHERE id > 2")
    file.shrink()
    file.settle()
    assert path.stat().st_size < 100_000
    assert [len(note) for note in notes(path)] == [40_000]


def test_room_is_kept_by_a_file_and_by_none_when_there_is_too_little(tmp_path: Path) -> None:
    database.reserve(tmp_path / "reserve", 1_000_000)
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 1_000_000
    with file_size_limit(500_000), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        database.reserve(tmp_path / "reserve", 1_000_000)
    assert list(tmp_path.iterdir()) == []


def test_reading_what_is_not_there_gives_nothing(path: Path) -> None:
    assert notes(path) == []
    sqlite3.connect(path).close()
    assert notes(path) == []
    assert database.query(path, "SELECT name FROM sqlite_master") == []
