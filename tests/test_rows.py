"""Rows that the drainer must leave alone, and their deletion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.errors import Unavailable
from gateway.promises import Promise
from gateway.publishing.holdings import OWN
from gateway.publishing.rows import Rows
from gateway.publishing.spool import RowId, SpoolFiles
from tests.publisher_contract import WAIT
from tests.test_spool import append, started, values

Work = Callable[[Any], Any]


class FakeSpool:
    """A spool whose commits happen when a test says so; it is its own file."""

    def __init__(self) -> None:
        self.rows: set[RowId] = {(OWN, n) for n in range(10)}
        self.jobs: list[tuple[Work, Promise[Any]]] = []
        self.closed = False

    def submit(self, work: Work, *, grows: bool = True) -> Promise[Any]:
        future: Promise[Any] = Promise()
        if self.closed:
            future.fail(Unavailable("stopping"))
        else:
            self.jobs.append((work, future))
        return future

    def commit(self) -> None:
        jobs, self.jobs = self.jobs, []
        results = [work(self) for work, _ in jobs]
        for (_, future), result in zip(jobs, results, strict=True):
            future.succeed(result)

    def fail(self, *, begun: bool = False) -> None:
        jobs, self.jobs = self.jobs, []
        kept = set(self.rows)
        for work, _ in jobs:
            if begun:
                work(self)
        self.rows = kept
        for _, future in jobs:
            future.fail(Unavailable("refused"))

    def delete(self, ids: Iterable[RowId]) -> None:
        self.rows -= set(ids)


@pytest.fixture
def spool() -> FakeSpool:
    return FakeSpool()


@pytest.fixture
def rows(spool: FakeSpool) -> Rows:
    return Rows(cast(Any, spool))


A, B, C = (OWN, 1), (OWN, 2), (OWN, 3)


def test_a_row_is_left_alone_while_the_client_has_it(rows: Rows) -> None:
    assert A not in rows
    rows.hold(A)
    assert A in rows
    rows.free(A)
    assert A not in rows


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("acknowledged", ["before the read", "before its commit", "before its use"])
def test_a_row_acknowledged_between_a_read_and_its_use_is_not_handed_out(
    rows: Rows, spool: FakeSpool, acknowledged: str, committed: bool
) -> None:
    rows.hold(A)
    rows.before_read()
    if acknowledged == "before the read":
        rows.delete(A)
    read = spool.submit(lambda files: set(files.rows))
    if acknowledged == "before its commit":
        rows.delete(A)
    spool.commit()
    if acknowledged == "before its use":
        rows.delete(A)
    if committed:
        spool.commit()
    assert B in read.result(0)
    assert [row for row in read.result(0) if row == A and row not in rows] == []


def test_after_the_next_read_a_deleted_row_is_forgotten(rows: Rows, spool: FakeSpool) -> None:
    rows.delete(A)
    spool.commit()
    assert A in rows, "who read before may still have it"
    rows.before_read()
    assert A not in rows
    assert A not in spool.rows


def test_a_row_that_is_not_deleted_yet_is_left_alone_read_after_read(rows: Rows, spool: FakeSpool) -> None:
    rows.delete(A)
    for _ in range(3):
        rows.before_read()
        assert A in rows


def test_rows_that_are_acknowledged_meanwhile_are_deleted_together(rows: Rows, spool: FakeSpool) -> None:
    for n in range(10):
        rows.delete((OWN, n))
    assert len(spool.jobs) == 1
    spool.commit()
    assert spool.rows == set()
    rows.delete(A)
    assert len(spool.jobs) == 1


def test_a_row_that_comes_too_late_for_a_batch_is_in_the_next(rows: Rows, spool: FakeSpool) -> None:
    rows.delete(A)
    spool.submit(lambda _: rows.delete(B))  # when the first batch is written and not yet synced
    spool.commit()
    assert (A in spool.rows, B in spool.rows) == (False, True)
    spool.commit()
    assert B not in spool.rows


@pytest.mark.parametrize("begun", [False, True])
def test_what_the_disk_refused_to_delete_is_left_alone_and_deleted_again(
    rows: Rows, spool: FakeSpool, begun: bool
) -> None:
    rows.delete(A)
    spool.fail(begun=begun)
    rows.before_read()
    assert A in rows
    rows.delete(B)
    rows.retry()
    spool.fail(begun=begun)
    rows.retry()
    spool.commit()
    assert spool.rows.isdisjoint({A, B})
    rows.before_read()
    assert A not in rows


def test_after_a_refusal_the_next_rows_are_deleted_as_ever(rows: Rows, spool: FakeSpool) -> None:
    rows.delete(A)
    spool.fail()
    rows.delete(B)
    spool.commit()
    assert B not in spool.rows


def test_there_is_nothing_to_try_again_when_nothing_was_refused(rows: Rows, spool: FakeSpool) -> None:
    rows.retry()
    rows.delete(A)
    spool.commit()
    rows.retry()
    assert spool.jobs == []


def test_a_changed_row_is_left_alone_until_the_next_read(rows: Rows, spool: FakeSpool) -> None:
    rows.hold(A)
    rows.change(A, lambda files: cast(Any, files).delete([A]))
    rows.before_read()
    assert A in rows
    spool.commit()
    assert A in rows
    rows.before_read()
    assert A not in rows


def test_a_row_that_could_not_be_changed_waits_on(rows: Rows, spool: FakeSpool) -> None:
    rows.hold(A)
    done = rows.change(A, lambda files: None)
    spool.fail()
    assert done.exception(0)
    assert A not in rows
    assert A in spool.rows


def test_a_row_that_is_being_changed_is_not_deleted_with_what_is_tried_again(
    rows: Rows, spool: FakeSpool
) -> None:
    rows.delete(A)
    spool.fail()
    rows.change(B, lambda files: None)  # such as to park it
    rows.retry()
    spool.commit()
    assert (A in spool.rows, B in spool.rows) == (False, True)


def test_after_the_close_nothing_is_deleted_and_nobody_hangs(rows: Rows, spool: FakeSpool) -> None:
    spool.closed = True
    rows.delete(A)
    rows.delete(B)
    rows.retry()
    rows.change(C, lambda files: None)
    assert A in rows
    assert B in rows
    assert C not in rows
    assert spool.rows >= {A, B, C}


def test_rows_acknowledged_by_many_threads_are_all_deleted(tmp_path: Path) -> None:
    with started(tmp_path) as made:
        rows = Rows(made)
        ids = append(made, *[b"x"] * 4_000)

        def acknowledge(part: int) -> None:
            for id in ids[part::4]:
                rows.delete(id)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(acknowledge, range(4)))
        made.submit(SpoolFiles.parked).result(WAIT)
        assert values(made) == []
        rows.before_read()
        assert not any(id in rows for id in ids)
