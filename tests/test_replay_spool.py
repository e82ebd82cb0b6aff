"""``gateway replay --spool``: what gateways that have ended left on a disk is published by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gateway import publishers
from gateway.errors import RecordRefused, Unavailable
from gateway.model import Record
from gateway.publishing import database, spool_file
from gateway.publishing.spool_file import SpoolFile
from tests.memory_publisher import MemoryPublisher
from tests.samples import record
from tests.terminal import Run

RECORDS = [record("events.custom", key=f"k/{n % 2}", value=b"%d" % n, note=str(n)) for n in range(4)]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryPublisher:
    """What is published to, in place of Kafka."""
    publisher = MemoryPublisher()
    monkeypatch.setattr(publishers, "build", lambda *arguments, **more: publisher)
    return publisher


@pytest.fixture
def replay(run: Run, tmp_path: Path, memory: MemoryPublisher) -> Callable[..., Result]:
    chosen = {"data_dir": str(tmp_path), "kafka_bootstrap_servers": "127.0.0.1:1"}
    return lambda *options: run("replay", "--spool", *options, **chosen)


@contextmanager
def spool(folder: Path, slot: int = 0) -> Iterator[SpoolFile]:
    file = SpoolFile(folder / spool_file.file_name(slot))
    try:
        yield file
    finally:
        file.close()


def left(folder: Path) -> list[tuple[bytes, str | None]]:
    return [(row.record.value, row.parked) for row in spool_file.read_back(folder)]


def values(publisher: MemoryPublisher) -> list[bytes]:
    return [published.value for published in publisher.records]


def outside(published: Record) -> Any:
    return published.topic, published.key, published.value, published.headers


def test_rows_are_published_as_they_were_in_order_and_deleted(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    with spool(tmp_path) as file:
        file.append(RECORDS)
    result = replay()
    assert (result.exit_code, result.stdout) == (
        0,
        "read 4, matched 4, published 4, refused again 0, already replayed 0\n",
    )
    assert list(map(outside, memory.records)) == list(map(outside, RECORDS))
    assert left(tmp_path) == []
    assert replay().stdout.startswith("read 0,")


def test_parked_rows_are_published_after_those_that_wait(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    for slot in (0, 1):
        with spool(tmp_path, slot) as file:
            first, *_ = file.append(RECORDS[2 * slot : 2 * slot + 2])
            file.park(first, "too-large")
    assert replay().exit_code == 0
    assert values(memory) == [b"1", b"0", b"3", b"2"]
    assert left(tmp_path) == []


def test_what_kafka_refuses_again_stays_and_stops_no_other(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    with spool(tmp_path) as file:
        file.append([record("events.refused"), *RECORDS])
    memory.faults["events.refused"] = RecordRefused("Kafka says no")
    result = replay()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "spool-0.sqlite3/1: waiting record-refused: Kafka says no"
    assert values(memory) == [b"0", b"1", b"2", b"3"]
    assert left(tmp_path) == [(b"{}", None)]


def test_a_damaged_row_is_told_and_never_published(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    with spool(tmp_path) as file:
        file.append(RECORDS)
        file.execute("UPDATE records SET value = x'ff' WHERE id = 2")
    result = replay()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("spool-0.sqlite3/2: damaged not-whole: ")
    assert values(memory) == [b"0", b"2", b"3"]
    assert left(tmp_path) == [(b"\xff", "damaged")]


def test_the_file_of_a_running_gateway_is_left_to_it(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    for slot in (0, 1):
        with spool(tmp_path, slot) as file:
            file.append([RECORDS[slot]])
    lock = spool_file.lock(tmp_path / spool_file.file_name(0))
    assert lock is not None
    result = replay()
    lock.close()
    assert (result.exit_code, result.stdout.split(",")[0]) == (0, "read 1")
    assert "spool-0.sqlite3 belongs to a running gateway" in result.stderr
    assert values(memory) == [b"1"]


def test_a_dry_run_publishes_and_deletes_nothing(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    with spool(tmp_path) as file:
        file.append(RECORDS[:1])
    result = replay("--dry-run")
    assert result.stdout.splitlines()[0] == "spool-0.sqlite3/1: waiting -> events.custom"
    assert memory.records == []
    assert len(left(tmp_path)) == 1


def test_rows_are_chosen_by_the_time_they_were_received(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher
) -> None:
    with spool(tmp_path) as file:
        file.append(RECORDS)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert "matched 0" in replay("--since", later).stdout
    assert "matched 4" in replay("--until", later).stdout


@pytest.mark.parametrize("options", [["--class", "broker"], ["--request", "x"], ["--again"]])
def test_what_only_dead_letters_have_cannot_be_asked_of_a_spool(
    replay: Callable[..., Result], options: list[str]
) -> None:
    assert replay(*options).exit_code == 2


def test_rows_stay_while_nothing_can_be_published(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.again._PATIENCE_SECONDS", 0)
    with spool(tmp_path) as file:
        file.append(RECORDS)
    memory.fault = Unavailable("Kafka is away")
    result = replay()
    assert isinstance(result.exception, Unavailable)
    assert len(left(tmp_path)) == 4


def test_a_row_that_is_published_but_cannot_be_deleted_is_told(
    replay: Callable[..., Result], tmp_path: Path, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise database.Error("disk full")

    with spool(tmp_path) as file:
        file.append(RECORDS)
    monkeypatch.setattr(SpoolFile, "delete", refuse)
    result = replay()
    assert isinstance(result.exception, Unavailable)
    assert "spool-0.sqlite3/1 is published" in str(result.exception)
    assert len(memory.records) == 1


def test_a_file_that_cannot_be_read_is_told(replay: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / spool_file.file_name(0)).write_bytes(b"no database" * 1_000)
    assert isinstance(replay().exception, Unavailable)


def test_a_spool_without_kafka_has_nowhere_to_go(run: Run, tmp_path: Path) -> None:
    result = run("replay", "--spool", data_dir=str(tmp_path))
    assert "GATEWAY_KAFKA_BOOTSTRAP_SERVERS" in str(result.exception)
