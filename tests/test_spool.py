"""The spool of one process: its slot, the files it adopts, and what it does when bytes or disks fail."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.errors import Unavailable
from gateway.publishing import group_commit, spool_file
from gateway.publishing.holdings import OWN
from gateway.publishing.spool import START, Found, RowId, Spool, SpoolFiles
from gateway.publishing.spool_file import SpoolFile
from tests.publisher_contract import WAIT, eventually
from tests.samples import record

ROOT = Path(__file__).parent.parent
PAGE = 4_096

Value = TypeVar("Value")


@contextmanager
def started(folder: Path) -> Iterator[Spool]:
    made = Spool(folder)
    made.start()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_RETRY_SECONDS", 0.01)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Spool]:
    with started(tmp_path) as made:
        yield made


def do(made: Spool, work: Callable[[SpoolFiles], Value]) -> Value:
    return made.submit(work).result(WAIT)


def append(made: Spool, *values: bytes) -> list[RowId]:
    return do(made, lambda files: files.append([record("t", "k/1", value) for value in values]))


def values(made: Spool) -> list[bytes]:
    """All that waits, page by page."""
    found: list[bytes] = []
    cursor = START
    while page := next_rows(made, cursor, 50):
        found += [row.record.value for _, row in page]
        cursor = page[-1][0]
    return found


def next_rows(made: Spool, after: RowId, most: int) -> list[Found]:
    return do(made, lambda files: files.rows(after, most))


def left(folder: Path, slot: int, *contents: bytes) -> Path:
    """What a process that ended has left."""
    file = SpoolFile(folder / spool_file.file_name(slot))
    with file.transaction():
        file.append([record("t", "k/1", value) for value in contents])
    file.close()
    return file.path


def names(folder: Path) -> list[str]:
    return [path.name for path in spool_file.files(folder)]


# -- slots --------------------------------------------------------------------------------------------------


def test_two_spools_in_one_folder_share_no_file(made: Spool, tmp_path: Path) -> None:
    append(made, b"a")
    with started(tmp_path) as other:
        append(other, b"b")
        assert (values(made), values(other)) == ([b"a"], [b"b"])
    assert names(tmp_path) == ["spool-0.sqlite3", "spool-1.sqlite3"]


def test_a_restart_takes_its_own_file_again(tmp_path: Path) -> None:
    for n in range(3):
        with started(tmp_path) as made:
            assert append(made, b"%d" % n) == [(OWN, n + 1)]
    assert names(tmp_path) == ["spool-0.sqlite3"]
    assert [row.record.value for row in spool_file.read_back(tmp_path)] == [b"0", b"1", b"2"]


def test_the_files_stay_held_while_the_disk_fails(made: Spool, tmp_path: Path) -> None:
    append(made, b"a")
    assert made.submit(lambda files: 1 // 0).exception(WAIT)
    assert spool_file.lock(tmp_path / "spool-0.sqlite3") is None
    assert values(made) == [b"a"]


def test_a_folder_that_cannot_be_made_refuses_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with started(tmp_path / "data" / "spool") as made:
        refused = made.submit(lambda files: files.append([record("t")]))
        assert isinstance(refused.exception(WAIT), Unavailable)
        (tmp_path / "data").unlink()
        assert eventually(lambda: not made.broken)
        append(made, b"a")
        assert values(made) == [b"a"]


def test_a_file_that_was_drained_is_small_after_the_next_start(tmp_path: Path) -> None:
    with started(tmp_path) as made:
        ids = append(made, *[b"x" * 100_000] * 50)
        do(made, lambda files: files.delete(ids))
    path = tmp_path / "spool-0.sqlite3"
    assert path.stat().st_size > 5_000_000
    with started(tmp_path) as made:
        assert append(made, b"a")[0] > ids[-1]
    assert path.stat().st_size < 2_000_000


# -- rows ---------------------------------------------------------------------------------------------------


def test_rows_come_in_pages_by_number_and_end(made: Spool) -> None:
    ids = append(made, *(b"%d" % n for n in range(5)))
    pages = []
    cursor = START
    while page := next_rows(made, cursor, 2):
        pages.append([id for id, _ in page])
        cursor = page[-1][0]
    assert pages == [ids[:2], ids[2:4], ids[4:]]


def test_rows_come_in_pages_of_about_a_megabyte(made: Spool) -> None:
    append(made, *(b"x" * 400_000 for _ in range(4)))
    page = next_rows(made, START, 50)
    assert len(page) == 3
    assert len(next_rows(made, page[-1][0], 50)) == 1


def test_damaged_rows_do_not_look_like_the_end(made: Spool) -> None:
    ids = append(made, *(b"%d" % n for n in range(5)))
    do(made, lambda files: list(map(bend(files), ids[:3])))
    assert [id for id, _ in next_rows(made, START, 1)] == ids[3:4]
    assert do(made, SpoolFiles.parked) == 3


def bend(files: SpoolFiles) -> Callable[[RowId], object]:
    own = files._files[OWN]
    return lambda row: own.execute("UPDATE records SET value = x'00' WHERE id = ?", (row[1],))


def test_rows_are_deleted_parked_and_replaced_by_their_ids(tmp_path: Path) -> None:
    left(tmp_path, 1, b"old 1", b"old 2", b"old 3")
    with started(tmp_path) as made:
        do(made, SpoolFiles.look_after)
        append(made, b"new 1", b"new 2", b"new 3")
        found = [id for id, _ in next_rows(made, START, 50)]
        do(made, lambda files: files.delete([found[0], found[3]]))
        do(made, lambda files: files.park(found[1], "too-large"))
        do(made, lambda files: files.put_in_place(found[2], record("dead", "k/1", b"dead old 3")))
        do(made, lambda files: files.put_in_place(found[4], record("dead", "k/1", b"dead new 2")))
        assert values(made) == [b"dead old 3", b"new 3", b"dead new 2"]
        assert do(made, SpoolFiles.parked) == 1


# -- adoption -----------------------------------------------------------------------------------------------


def test_what_is_adopted_is_counted_once_and_comes_before_our_own(tmp_path: Path) -> None:
    with started(tmp_path) as made:
        append(made, b"own")
        left(tmp_path, 1, b"a", b"b")
        left(tmp_path, 2, b"c")
        assert sum(found.rows for found in do(made, SpoolFiles.look_after)) == 3
        assert do(made, SpoolFiles.look_after) == []
        found = values(made)
        assert sorted(found[:3]) == [b"a", b"b", b"c"]
        assert found.index(b"a") < found.index(b"b")
        assert found[3:] == [b"own"]


def test_an_adopted_file_that_is_empty_is_removed_and_its_number_not_used_again(
    made: Spool, tmp_path: Path
) -> None:
    numbers = []
    for _ in range(3):
        left(tmp_path, 1, b"a")
        do(made, SpoolFiles.look_after)
        ((id, _),) = next_rows(made, START, 50)
        numbers.append(id[0])
        do(made, lambda files: files.delete([id]))  # noqa: B023
        assert "spool-1.sqlite3" in names(tmp_path)
        do(made, SpoolFiles.look_after)
        do(made, SpoolFiles.parked)
        assert names(tmp_path) == ["spool-0.sqlite3"]
    assert len(set(numbers)) == 3
    do(made, lambda files: files.delete([id]))
    do(made, lambda files: files.park(id, "gone"))
    do(made, lambda files: files.put_in_place(id, record("dead", "k/1", b"dead letter")))
    assert values(made) == [b"dead letter"], "a dead letter is not lost with the file of its record"


def test_an_adopted_file_is_kept_while_it_has_parked_rows(made: Spool, tmp_path: Path) -> None:
    left(tmp_path, 1, b"a")
    do(made, SpoolFiles.look_after)
    ((id, _),) = next_rows(made, START, 50)
    do(made, lambda files: files.park(id, "too-large"))
    for _ in range(3):
        do(made, SpoolFiles.look_after)
    assert names(tmp_path) == ["spool-0.sqlite3", "spool-1.sqlite3"]


def test_a_dead_letter_that_comes_into_an_empty_adopted_file_keeps_it(made: Spool, tmp_path: Path) -> None:
    left(tmp_path, 1, b"a")
    do(made, SpoolFiles.look_after)
    ((id, _),) = next_rows(made, START, 50)

    def refused_at_the_last_moment(files: SpoolFiles) -> None:
        files.delete([id])
        files.look_after()
        files.put_in_place(id, record("dead", "k/1", b"dead letter"))

    do(made, refused_at_the_last_moment)
    assert values(made) == [b"dead letter"]


def test_a_file_that_cannot_be_adopted_is_told_once_and_stops_nothing(
    made: Spool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool-1.sqlite3").mkdir()
    left(tmp_path, 2, b"a")
    (tmp_path / "spool-3.lock").mkdir()
    left(tmp_path, 3, b"b")
    for _ in range(3):
        do(made, SpoolFiles.look_after)
    assert values(made) == [b"a"]
    assert not made.broken
    told = [each for each in caplog.records if each.getMessage() == "a spool file cannot be adopted"]
    assert [each.__dict__["file"] for each in told] == ["spool-1.sqlite3", "spool-3.sqlite3"]


def test_spools_that_compete_for_orphans_adopt_each_once(tmp_path: Path) -> None:
    contents = [b"%d" % n for n in range(20)]
    for n, value in enumerate(contents):
        left(tmp_path, 10 + n, value)
    with started(tmp_path) as one, started(tmp_path) as two, ThreadPoolExecutor(2) as pool:
        both = threading.Barrier(2)

        def adopt(made: Spool) -> list[bytes]:
            both.wait(WAIT)
            do(made, SpoolFiles.look_after)
            return values(made)

        found = [value for adopted in pool.map(adopt, (one, two)) for value in adopted]
    assert sorted(found) == sorted(contents)


ADOPTER = """
import sys
from pathlib import Path
from gateway.publishing.spool import START, Spool, SpoolFiles

spool = Spool(Path(sys.argv[1]))
spool.start()
spool.submit(SpoolFiles.parked).result(30)
print(flush=True)
sys.stdin.readline()
spool.submit(SpoolFiles.look_after).result(30)
for _, row in spool.submit(lambda files: files.rows(START, 1000)).result(30):
    print(row.record.value.decode(), flush=True)
print(flush=True)
sys.stdin.readline()
"""


def test_processes_that_compete_for_orphans_adopt_each_once(tmp_path: Path) -> None:
    contents = [str(n) for n in range(20)]
    for n, value in enumerate(contents):
        left(tmp_path, 10 + n, value.encode())
    command = [sys.executable, "-c", ADOPTER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    adopters = [subprocess.Popen(command, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    found = []
    for adopter in adopters:
        adopter.stdout.readline()
    for adopter in adopters:
        adopter.stdin.write("\n")
        adopter.stdin.flush()
    for adopter in adopters:
        while line := adopter.stdout.readline().strip():
            found.append(line)
    for adopter in adopters:
        adopter.communicate("\n")
    assert sorted(found) == sorted(contents)
