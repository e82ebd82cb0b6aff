"""The spool on damaged files, on full disks, and in processes that are killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.publishing import group_commit, spool_file
from gateway.publishing.holdings import Holdings
from gateway.publishing.spool import START, Spool, SpoolFiles
from gateway.publishing.spool_file import SpoolFile
from tests.publisher_contract import WAIT, eventually
from tests.samples import record
from tests.test_spool import append, do, left, started, values

ROOT = Path(__file__).parent.parent
PAGE = 4_096


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_RETRY_SECONDS", 0.01)


@contextmanager
def holding(folder: Path) -> Iterator[SpoolFiles]:
    """The files as the thread of a spool has them."""
    holdings = Holdings(folder)
    try:
        files = SpoolFiles(holdings)
        try:
            yield files
        finally:
            files.close()
    finally:
        for number in list(holdings.held):
            holdings.let_go(number)


# -- damage -------------------------------------------------------------------------------------------------


def drain(files: SpoolFiles) -> list[bytes]:
    found: list[bytes] = []
    with files.transaction():
        while page := files.rows(START, 20):
            found += [row.record.value for _, row in page]
            files.delete([id for id, _ in page])
        assert files.waiting() == []
    return found


WRITTEN = [b"%03d" % n * 100 for n in range(60)]
ROWS_OF_A_PAGE = 11


@pytest.mark.parametrize("mask", [0x01, 0xFF])
@pytest.mark.parametrize(("page", "lost_at_most"), [(0, 0), (7, ROWS_OF_A_PAGE)])
def test_with_any_byte_of_a_page_changed_the_rest_is_sent_and_the_service_goes_on(
    tmp_path: Path, page: int, lost_at_most: int, mask: int
) -> None:
    content = left(tmp_path / "made", 0, *WRITTEN).read_bytes()
    assert content[page * PAGE + (100 if page == 0 else 0)] == 13, "a leaf of a table"
    for index in [*range(page * PAGE, page * PAGE + 100), *range(page * PAGE + 100, (page + 1) * PAGE, 23)]:
        changed = bytearray(content)
        changed[index] ^= mask
        folder = tmp_path / f"{index}"
        folder.mkdir()
        (folder / "spool-0.sqlite3").write_bytes(changed)
        with holding(folder) as files:
            sent = drain(files)
            assert sent == sorted(set(sent))
            assert set(sent) <= set(WRITTEN)
            assert len(sent) >= len(WRITTEN) - lost_at_most
            with files.transaction():
                assert files.append([record("t")])
                assert len(files.rows(START, 20)) == 1


def test_damage_that_is_met_while_running_is_mended_and_the_service_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contents = [b"%06d" % n * 500 for n in range(2_000)]  # more than SQLite keeps in memory
    other = left(tmp_path, 1, b"whole")
    with started(tmp_path) as made:
        do(made, SpoolFiles.look_after)
        for n in range(0, 2_000, 500):
            append(made, *contents[n : n + 500])
        do(made, lambda files: None)
        with (tmp_path / "spool-0.sqlite3").open("r+b") as file:
            file.seek(30 * PAGE)
            file.write(random.Random(1).randbytes(PAGE))
        assert eventually(lambda: made.submit(values_of).exception(WAIT) is None)
        found = values(made)
        assert found[0] == b"whole"
        assert 1_990 <= len(found) - 1 == len(set(found[1:]) & set(contents))
        append(made, b"later")
        assert values(made)[-1] == b"later"
    assert len(list(tmp_path.glob("spool-0.sqlite3.damaged-*[0-9]"))) == 1
    assert list(tmp_path.glob("spool-1.sqlite3.damaged-*")) == []
    assert other.exists(), "only the damaged file was mended"
    assert "a spool file was damaged and is set aside" in caplog.messages


def values_of(files: SpoolFiles) -> list[bytes]:
    return [row.record.value for file in files._files.values() for row in file.rows()]


class Killed(BaseException):
    """Nothing more is done."""


def test_mending_may_be_killed_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = left(tmp_path / "made", 0, *WRITTEN[:40])
    running = SpoolFile(path)
    with running.transaction():
        running.append([record("t", "k/1", value) for value in WRITTEN[40:]])
    content, log = bytearray(path.read_bytes()), Path(f"{path}-wal").read_bytes()
    running.close()
    content[3 * PAGE : 4 * PAGE] = b"x" * PAGE  # an index: no row is hit
    for steps in count(1):
        folder = tmp_path / str(steps)
        folder.mkdir()
        (folder / path.name).write_bytes(content)
        (folder / f"{path.name}-wal").write_bytes(log)
        with monkeypatch.context() as patched:
            left_to_do = iter(range(steps))
            for name in ("rename", "unlink"):
                patched.setattr(Path, name, dying(getattr(Path, name), left_to_do))
            done = finishes(folder)
        assert spool_file.files(folder) == [folder / path.name]
        with holding(folder) as files:
            assert drain(files) == WRITTEN
        if done:
            break
    assert steps > 8


def dying(step: object, left_to_do: Iterator[int]) -> object:
    def do_or_die(*arguments: object, **options: object) -> object:
        if next(left_to_do, None) is None:
            raise Killed
        return step(*arguments, **options)  # type: ignore[operator]

    return do_or_die


def finishes(folder: Path) -> bool:
    try:
        with holding(folder) as files:
            drain_nothing(files)
    except Killed:
        return False
    return True


def drain_nothing(files: SpoolFiles) -> None:
    with files.transaction():
        assert len(files.rows(START, 100)) == len(WRITTEN)


# -- full disks ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """16 MB; only root can have it."""
    mounted = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mounted, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def drain_some(made: Spool, found: list[int]) -> bool:
    """Read and delete a few rows, and say whether there were any; on the brink, either may be refused."""
    reading = made.submit(lambda files: files.rows(START, 10), grows=False)
    if reading.exception(WAIT):
        return True
    page = reading.result()
    found += [int(row.record.value[:4]) for _, row in page]
    made.submit(lambda files: files.delete([id for id, _ in page]), grows=False).exception(WAIT)
    return bool(page)


def test_a_disk_that_the_spool_has_filled_can_be_drained_and_takes_events_again(small_disk: Path) -> None:
    with started(small_disk) as made:
        taken = 0
        for n in count():
            job = made.submit(lambda files, n=n: files.append([record("t", value=b"%04d" % n * 10_000)]))  # type: ignore[misc]
            if error := job.exception(WAIT):
                assert isinstance(error, Unavailable)
                break
            taken += 1
        assert made.broken
        found: list[int] = []
        assert eventually(lambda: not drain_some(made, found))
        assert sorted(set(found))[:taken] == list(range(taken))
        assert max(found) <= taken, "the last one may have been written"
        assert eventually(lambda: not made.broken)
        append(made, b"x" * 40_000)


# -- kill -9 ------------------------------------------------------------------------------------------------

WRITER = """
import os, sys
from itertools import count
from pathlib import Path
from gateway.publishing.spool import Spool
from tests.samples import record

def told(number):
    return lambda done: os.write(1, b"%d\\n" % number) if done.exception() is None else None

spool = Spool(Path(sys.argv[1]))
spool.start()
for number in count(int(sys.argv[2])):
    records = [record("t", "k/1", b"%d" % number + b" " * (number % 7 * 900))]
    job = spool.submit(lambda files, records=records: files.append(records))
    job.then(told(number))
    if number % 20 == 0:
        job.result(30)
"""


def write_until_killed(folder: Path, seed: int, rounds: int) -> list[int]:
    """Every number that was told, from one process after the other."""
    chance = random.Random(seed)
    told: list[int] = []
    for turn in range(rounds):
        command = [sys.executable, "-c", WRITER, str(folder), str(turn * 1_000_000)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told.append(int(writer.stdout.readline()))
            time.sleep(chance.uniform(0, 0.2))
            writer.kill()
            told += map(int, writer.stdout.read().split())
    return told


def test_what_was_told_to_be_written_survives_kill_9(tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(write_until_killed, folders, range(4), [5] * 4))
    for folder, numbers in zip(folders, told, strict=True):
        assert spool_file.files(folder) == [folder / "spool-0.sqlite3"], "its own file again, each time"
        found = [int(row.record.value) for row in spool_file.read_back(folder)]
        assert len(numbers) > 5
        assert set(numbers) <= set(found)
        assert found == sorted(set(found))
