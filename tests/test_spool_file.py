"""One file of the spool: its rows, damage within them, and its locks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.publishing import spool_file
from gateway.publishing.spool_file import DAMAGED, SpoolFile, Waiting
from tests.samples import record

ROOT = Path(__file__).parent.parent


@contextmanager
def opened(path: Path) -> Iterator[SpoolFile]:
    file = SpoolFile(path)
    try:
        yield file
    finally:
        file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / spool_file.file_name(0)


@pytest.fixture
def file(path: Path) -> Iterator[SpoolFile]:
    with opened(path) as file:
        yield file


def append(file: SpoolFile, *values: bytes) -> list[int]:
    with file.transaction():
        return file.append([record("t", "k/1", value) for value in values])


def values(file: SpoolFile, **options: bool) -> list[bytes]:
    with file.transaction():
        return [row.record.value for row in file.rows(**options)]


# -- rows ---------------------------------------------------------------------------------------------------


def test_a_row_is_read_as_it_was_written(file: SpoolFile) -> None:
    sent = record("größe", "incident/größe/€", '{"n":1.10,"é":"\\u0000"}'.encode(), note="größer 100 %")
    (id,) = file.append([sent])
    (row,) = file.rows()
    assert (row.id, row.parked) == (id, None)
    found = row.record
    assert (found.topic, found.key, found.value, found.headers, found.size) == (
        *(sent.topic, sent.key, sent.value, sent.headers, sent.size),
    )


def test_rows_are_read_in_the_order_they_came_from_any_row_on(file: SpoolFile) -> None:
    ids = append(file, b"a", b"b") + append(file, b"c")
    assert ids == sorted(set(ids))
    assert [row.record.value for row in file.rows()] == [b"a", b"b", b"c"]
    assert [row.record.value for row in file.rows(after=ids[0])] == [b"b", b"c"]
    assert list(file.rows(after=ids[2])) == []


def test_what_is_deleted_is_gone_and_the_rest_stays(file: SpoolFile) -> None:
    ids = append(file, b"a", b"b", b"c")
    file.delete([ids[0], ids[2], 999])
    assert values(file) == [b"b"]


def test_an_id_is_not_used_again_though_the_newest_row_was_deleted_and_the_file_opened_anew(
    path: Path,
) -> None:
    used: set[int] = set()
    for _ in range(3):
        with opened(path) as file:
            ids = append(file, b"a", b"b")
            assert min(ids) > max(used, default=0)
            used.update(ids)
            file.delete(ids)


def test_an_id_is_not_used_again_after_a_transaction_that_failed(file: SpoolFile) -> None:
    (first,) = append(file, b"a")
    with pytest.raises(ZeroDivisionError), file.transaction():
        file.append([record("t")])
        raise ZeroDivisionError
    assert append(file, b"b") == [first + 1]


def test_a_parked_row_is_given_to_those_who_ask_for_it_only(file: SpoolFile) -> None:
    ids = append(file, b"a", b"b")
    file.park(ids[0], "too-large")
    assert values(file) == [b"b"]
    (row,) = file.rows(parked=True)
    assert (row.id, row.record.value, row.parked) == (ids[0], b"a", "too-large")
    assert file.parked() == 1


def test_what_waits_is_counted_by_topic_and_key(file: SpoolFile) -> None:
    sent = [record("t", "k/1"), record("t", "k/2"), record("u", "k/1"), record("t", "k/1", b"parked")]
    ids = file.append(sent + sent)
    file.park(ids[3], "too-large")
    file.park(ids[7], "too-large")
    assert sorted(file.waiting(), key=lambda found: (found.topic, found.key)) == [
        Waiting(each.topic, each.key, 2, 2 * each.size) for each in sent[:3]
    ]


def test_the_oldest_is_the_first_that_waits(file: SpoolFile) -> None:
    assert file.oldest() is None
    ids = append(file, b"a", b"b")
    file.execute("UPDATE records SET received = id")
    assert file.oldest() == ids[0]
    file.park(ids[0], "too-large")
    assert file.oldest() == ids[1]


def test_a_row_is_copied_once_and_another_row_with_its_id_besides(file: SpoolFile) -> None:
    first, second = append(file, b"a", b"b")
    rows = list(file.rows())
    file.delete([first])
    for _ in range(2):
        for row in rows:
            file.copy(row)
    assert list(file.rows()) == rows
    file.copy(replace(rows[0], id=second))
    assert values(file) == [b"a", b"b", b"a"]


# -- damage within a row ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0x01, 0xFF])
@pytest.mark.parametrize("column", ["topic", "key", "value", "headers"])
def test_a_row_with_any_byte_changed_is_parked_and_the_others_are_given(
    file: SpoolFile, column: str, mask: int
) -> None:
    _, id, _ = append(file, b"a", b"the value in the middle", b"c")
    select = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM records WHERE id = ?"
    kind, content = file.execute(select, (id,)).fetchone()
    assert len(content) > 0
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= mask
        with pytest.raises(ZeroDivisionError), file.transaction():
            file.execute(f"UPDATE records SET {column} = CAST(? AS {kind}) WHERE id = ?", (changed, id))
            assert [row.record.value for row in file.rows()] == [b"a", b"c"]
            assert [(row.id, row.parked) for row in file.rows(parked=True)] == [(id, DAMAGED)]
            raise ZeroDivisionError  # undo it


@pytest.mark.parametrize("column", ["id", "received", "topic", "key", "value", "headers", "checksum"])
@pytest.mark.parametrize("content", [7, "text", b"\xff\xfe", 0.5])
def test_a_row_with_a_column_of_another_kind_stops_nobody(
    file: SpoolFile, column: str, content: object
) -> None:
    first, id, _ = append(file, b"a", b"b", b"c")
    if column == "id":
        file.execute("UPDATE records SET id = 9999 WHERE id = ?", (id,))
    else:
        file.execute(f"UPDATE records SET {column} = ? WHERE id = ?", (content, id))
    assert values(file) == [b"a", b"c"]
    assert [row.parked for row in file.rows(parked=True)] == [DAMAGED]
    file.execute("UPDATE records SET parked = NULL")
    file.delete([first])
    assert isinstance(file.oldest(), int)
    assert sum(found.rows for found in file.waiting()) == 2


# -- locks, and files that nobody holds ---------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from gateway.publishing import spool_file
print(spool_file.lock(Path(sys.argv[1])) is not None, flush=True)
time.sleep(60)
"""


def test_a_file_is_held_once_in_a_process_and_free_again_when_let_go(path: Path) -> None:
    held = spool_file.lock(path)
    assert held is not None
    assert spool_file.lock(path) is None
    held.close()
    again = spool_file.lock(path)
    assert again is not None
    again.close()


def test_a_file_is_held_across_processes_until_its_holder_is_killed(path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert spool_file.lock(path) is None
        holder.kill()
    free = spool_file.lock(path)
    assert free is not None
    free.close()


def fill(folder: Path, contents: Sequence[bytes]) -> list[Path]:
    paths = [folder / spool_file.file_name(slot) for slot in range(len(contents))]
    for path, value in zip(paths, contents, strict=True):
        with opened(path) as file:
            append(file, value)
    return paths


def test_only_files_that_nobody_holds_are_opened_and_they_are_held_meanwhile(tmp_path: Path) -> None:
    paths = fill(tmp_path, [b"a", b"b", b"c"])
    held = spool_file.lock(paths[1])
    assert held is not None
    with spool_file.stopped(tmp_path) as files:
        assert [file.path for file in files] == [paths[0], paths[2]]
        assert all(spool_file.lock(path) is None for path in paths)
    held.close()
    with spool_file.stopped(tmp_path) as files:
        assert [file.path for file in files] == paths


def test_reading_back_gives_all_rows_of_stopped_files_the_parked_too(tmp_path: Path) -> None:
    paths = fill(tmp_path, [b"a", b"b"])
    with opened(paths[0]) as file:
        file.park(1, "too-large")
    found = [(row.record.value, row.parked) for row in spool_file.read_back(tmp_path)]
    assert found == [(b"a", "too-large"), (b"b", None)]
    assert spool_file.read_back(tmp_path / "nowhere") == []
