"""One thread that owns a file: commits that are shared, that fail, and that come back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.promises import Promise
from gateway.publishing import database, group_commit
from gateway.publishing.database import Database
from gateway.publishing.group_commit import GroupCommit
from tests.publisher_contract import WAIT, eventually
from tests.test_local_log import file_size_limit

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER);"


class Disk:
    """What a test may switch, and what was done to the file."""

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.commits: list[list[object]] = []  # what was written, commit by commit
        self.full = self.gone = False

    @property
    def written(self) -> list[object]:
        return [what for commit in self.commits for what in commit]


class Notebook:
    """A file that is kept in memory."""

    def __init__(self, disk: Disk) -> None:
        if disk.gone:
            raise OSError("no such disk")
        self.disk = disk
        self.pending: list[object] = []
        disk.opened += 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.pending = []
        yield
        self.disk.commits.append(self.pending)

    def try_to_grow(self) -> None:
        if self.disk.full:
            raise OSError("no room")

    def close(self) -> None:
        self.disk.closed += 1

    def write(self, what: object) -> object:
        if self.disk.full:
            raise OSError("no room")
        self.pending.append(what)
        return what


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_RETRY_SECONDS", 0.01)


@pytest.fixture
def file(disk: Disk) -> Iterator[GroupCommit[Notebook]]:
    made = GroupCommit("notebook", lambda: Notebook(disk))
    assert made.broken, "until the disk was tried"
    made.start()
    assert eventually(lambda: not made.broken)
    yield made
    made.close()


@contextmanager
def held_up(file: GroupCommit[Notebook]) -> Iterator[None]:
    """What is given meanwhile comes into one commit, after that of this."""
    entered, free = threading.Event(), threading.Event()

    def wait(_: Notebook) -> None:
        entered.set()
        assert free.wait(WAIT)

    file.submit(wait, grows=False)
    assert entered.wait(WAIT)
    try:
        yield
    finally:
        free.set()


def writing(what: object) -> Callable[[Notebook], object]:
    return lambda notebook: notebook.write(what)


def fail(_: Notebook) -> None:
    raise ZeroDivisionError


def refused(future: Promise[object]) -> bool:
    return isinstance(future.exception(WAIT), Unavailable)


def test_work_that_comes_together_shares_one_commit_in_its_order(
    file: GroupCommit[Notebook], disk: Disk
) -> None:
    with held_up(file):
        futures = [file.submit(writing(n)) for n in range(5)]
    assert [future.result(WAIT) for future in futures] == [0, 1, 2, 3, 4]
    assert disk.commits == [[], [0, 1, 2, 3, 4]]


def test_a_commit_has_a_bound(
    file: GroupCommit[Notebook], disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_MOST_JOBS_A_COMMIT", 2)
    with held_up(file):
        futures = [file.submit(writing(n)) for n in range(5)]
    assert [future.result(WAIT) for future in futures] == [0, 1, 2, 3, 4]
    assert disk.commits[1:] == [[0, 1], [2, 3], [4]]


def test_work_that_fails_fails_those_of_its_commit_and_only_those(
    file: GroupCommit[Notebook], disk: Disk
) -> None:
    assert file.submit(writing("before")).result(WAIT)
    with held_up(file):
        together = [file.submit(work) for work in (writing(1), fail, writing(2))]
    assert all(refused(future) for future in together)
    assert file.submit(writing("after")).result(WAIT)
    assert [commit for commit in disk.commits if commit] == [["before"], ["after"]]


def test_after_a_failure_the_file_is_closed_and_opened_afresh(
    file: GroupCommit[Notebook], disk: Disk
) -> None:
    assert refused(file.submit(fail))
    assert file.submit(writing(1)).result(WAIT)
    assert (disk.opened, disk.closed) == (2, 1)


def test_a_file_that_cannot_even_be_closed_is_opened_afresh(
    file: GroupCommit[Notebook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Notebook, "close", fail)
    assert refused(file.submit(fail))
    assert file.submit(writing(1)).result(WAIT) == 1


def test_work_that_nobody_waits_for_is_left_out(file: GroupCommit[Notebook], disk: Disk) -> None:
    with held_up(file):
        futures = [file.submit(writing(n), wanted=lambda n=n: n != 1) for n in range(3)]  # type: ignore[misc]
    assert [refused(future) for future in futures] == [False, True, False]
    assert disk.commits[1:] == [[0, 2]]


def test_a_question_that_fails_stops_nothing(file: GroupCommit[Notebook]) -> None:
    assert refused(file.submit(writing(1), wanted=lambda: 1 // 0 > 0))
    assert file.submit(writing(2)).result(WAIT) == 2


def test_a_callback_that_raises_stops_nothing(
    file: GroupCommit[Notebook], caplog: pytest.LogCaptureFixture
) -> None:
    with held_up(file):
        first, second = file.submit(writing(1)), file.submit(writing(2))
        first.then(lambda _: 1 // 0)
    assert second.result(WAIT) == 2
    assert file.submit(writing(3)).result(WAIT) == 3
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("work", [writing(1), fail])
def test_a_callback_may_give_more_work(
    file: GroupCommit[Notebook], work: Callable[[Notebook], object]
) -> None:
    more: list[Promise[object]] = []
    file.submit(work).then(lambda _: more.append(file.submit(writing("more"))))
    assert eventually(lambda: bool(more))
    assert more[0].result(WAIT) == "more"


def test_close_does_what_was_given(file: GroupCommit[Notebook], disk: Disk) -> None:
    with held_up(file):
        futures = [file.submit(writing(n)) for n in range(500)]
        closing = threading.Thread(target=file.close)
        closing.start()
        assert eventually(lambda: refused_now(file))
    closing.join(WAIT)
    assert [future.result(0) for future in futures] == list(range(500))
    assert disk.written == list(range(500))
    assert disk.closed == disk.opened == 1
    assert not file.running


def refused_now(file: GroupCommit[Notebook]) -> bool:
    future = file.submit(writing("late"))
    return future.done() and isinstance(future.exception(0), Unavailable)


def test_after_its_close_work_is_refused_at_once(file: GroupCommit[Notebook], disk: Disk) -> None:
    file.close()
    assert refused_now(file)
    assert disk.commits == []


def test_every_future_ends_though_it_is_closed_meanwhile(file: GroupCommit[Notebook], disk: Disk) -> None:
    with ThreadPoolExecutor(4) as pool:
        giving = [pool.submit(lambda: [file.submit(writing(1)) for _ in range(200)]) for _ in range(4)]
        file.close()
        futures = [future for given in giving for future in given.result(WAIT)]
    done = [future for future in futures if future.exception(WAIT) is None]
    assert len(disk.written) == len(done)


def test_a_disk_that_was_away_is_noticed_without_any_work(file: GroupCommit[Notebook], disk: Disk) -> None:
    disk.gone = True
    assert refused(file.submit(fail))
    assert file.broken
    disk.gone = False
    assert eventually(lambda: not file.broken)


def test_a_full_disk_is_told_once_and_so_is_its_end(
    file: GroupCommit[Notebook], disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    disk.full = True
    assert all(refused(file.submit(writing(n))) for n in range(5))
    disk.full = False
    assert eventually(lambda: not file.broken)
    assert [record.getMessage() for record in caplog.records] == [
        "a file cannot be written",
        "a file can be written again",
    ]


def test_a_full_disk_refuses_what_grows_and_still_does_what_does_not(
    file: GroupCommit[Notebook], disk: Disk
) -> None:
    disk.full = True
    assert refused(file.submit(writing(1)))
    assert file.submit(lambda notebook: notebook.pending, grows=False).result(WAIT) == []
    assert file.broken, "that was no proof of room"
    with held_up(file):
        read, write = file.submit(lambda _: "read", grows=False), file.submit(writing(2))
    assert read.result(WAIT) == "read"
    assert refused(write)
    assert disk.written == []


def insert(number: int) -> Callable[[Database], None]:
    return lambda file: file.execute_many("INSERT INTO numbers VALUES (?)", [(number,)])


def test_a_disk_that_fills_up_loses_nothing_it_took_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "numbers.sqlite3"
    file = GroupCommit("numbers", lambda: Database(path, SCHEMA, "WAL"))
    file.start()
    taken: set[int] = set()
    try:
        assert file.submit(insert(0)).exception(WAIT) is None
        with file_size_limit(Path(f"{path}-wal").stat().st_size + 100_000):
            while not file.broken:
                if file.submit(insert(len(taken))).exception(WAIT) is None:
                    taken.add(len(taken))
        assert eventually(lambda: not file.broken)
        assert file.submit(insert(-1)).exception(WAIT) is None
    finally:
        file.close()
    assert len(taken) > 5
    assert {number for (number,) in database.query(path, "SELECT number FROM numbers")} >= {*taken, -1}
