"""Events that come again: known across requests, restarts and processes; never at the cost of an event."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as changed

from gateway import app, settings
from gateway.errors import GatewayError, InternalError, Overloaded, TooLarge, Unavailable
from gateway.model import Outcome, Placement, Problem, Publisher, Record
from gateway.promises import Promise
from gateway.publishing import database, duplicates, duplicates_file
from gateway.publishing.duplicates import Duplicates
from gateway.publishing.duplicates_file import SeenFile, digest
from gateway.publishing.in_turn import InTurn
from gateway.publishing.local_log import LocalLog
from tests.door import told
from tests.memory_publisher import MemoryPublisher
from tests.publisher_contract import WAIT, eventually
from tests.samples import cloudevent, record
from tests.test_local_log import file_size_limit

TOPIC = "events.incident.detected"
WINDOW = 60.0
FIRST = Placement(Outcome.PUBLISHED, 0, 0)
AGAIN = replace(FIRST, duplicate=True)


@dataclass
class Clock:
    """A wall clock that the test sets."""

    time: float = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@contextmanager
def opened(
    inner: Publisher,
    folder: Path,
    count: Callable[[int], None] = lambda number: None,
    clock: Clock | None = None,
) -> Iterator[Duplicates]:
    publisher = Duplicates(inner, folder, WINDOW, count, clock or Clock())
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy disk of the tests' own makes no event unknown."""
    monkeypatch.setattr(duplicates_file, "_FIND_SECONDS", WAIT)
    monkeypatch.setattr(duplicates_file, "_MARK_SECONDS", WAIT)


@pytest.fixture
def inner() -> MemoryPublisher:
    return MemoryPublisher()


def event(id: str, key: str = "incident/1", topic: str = TOPIC) -> Record:
    return record(topic, key, note=id)


def send(publisher: Publisher, *ids: str) -> tuple[Placement, ...]:
    return publisher.publish([event(id) for id in ids]).result(WAIT)


def ids(inner: MemoryPublisher) -> list[str]:
    return [published.id for published in inner.records]


def answer_first(inner: MemoryPublisher) -> Promise[tuple[Placement, ...]]:
    """The first future that a silent publisher gave, to be settled by the test."""
    assert eventually(lambda: bool(inner.unanswered))
    return inner.unanswered[0]


# -- known again --------------------------------------------------------------------------------------------


def test_an_event_that_comes_again_is_answered_with_its_first_placement(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    with opened(inner, tmp_path) as publisher:
        assert send(publisher, "1") == (FIRST,)
        assert send(publisher, "2") == (Placement(Outcome.PUBLISHED, 0, 1),)
        assert send(publisher, "1") == (AGAIN,)
    assert ids(inner) == ["1", "2"]


def test_an_event_that_was_spooled_is_answered_as_spooled(inner: MemoryPublisher, tmp_path: Path) -> None:
    inner.spooling = True
    with opened(inner, tmp_path) as publisher:
        send(publisher, "1")
        inner.spooling = False
        assert send(publisher, "1") == (Placement(Outcome.SPOOLED, duplicate=True),)
    assert ids(inner) == ["1"]


def test_an_event_that_comes_twice_in_one_batch_is_published_once(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    with opened(inner, tmp_path) as publisher:
        assert send(publisher, "1", "2", "1") == (FIRST, Placement(Outcome.PUBLISHED, 0, 1), AGAIN)
    assert ids(inner) == ["1", "2"]


def test_the_rest_of_a_batch_is_published_in_its_order_and_in_one_call(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    counted: list[int] = []
    with opened(inner, tmp_path, counted.append) as publisher:
        send(publisher, "b", "d")
        inner.silent = True
        future = publisher.publish([event(id) for id in "abcde"])
        answer_first(inner).succeed((FIRST, FIRST, FIRST))
        assert [placement.duplicate for placement in future.result(WAIT)] == [False, True, False, True, False]
    assert len(inner.unanswered) == 1
    assert counted == [2]


def test_a_repeat_that_comes_while_the_first_is_under_way_waits_for_its_end(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    inner.silent = True
    with opened(inner, tmp_path) as publisher:
        first = publisher.publish([event("1")])
        answer = answer_first(inner)
        again = publisher.publish([event("1")])
        assert not again.done()
        answer.succeed((FIRST,))
        assert (first.result(WAIT), again.result(WAIT)) == ((FIRST,), (AGAIN,))
    assert len(inner.unanswered) == 1


def test_repeats_that_come_all_at_once_are_published_once(tmp_path: Path) -> None:
    def publish(_: int) -> list[tuple[Placement, ...]]:
        futures = [publisher.publish([event(str(n)), event(str(n + 1))]) for n in range(20)]
        return [future.result(WAIT) for future in futures]

    log = LocalLog(tmp_path, disk_timeout=10)
    with opened(log, tmp_path) as publisher, ThreadPoolExecutor(8) as pool:
        answers = [placement for places in pool.map(publish, range(8)) for two in places for placement in two]
    assert {placement.offset for placement in answers} == set(range(21))
    assert sum(not placement.duplicate for placement in answers) == 21


def test_an_event_is_known_after_a_restart(inner: MemoryPublisher, tmp_path: Path) -> None:
    for expected in (FIRST, AGAIN):
        with opened(inner, tmp_path) as publisher:
            assert send(publisher, "1") == (expected,)


SENDER = """
import os, sys
from pathlib import Path
from gateway.publishing.duplicates import Duplicates
from gateway.publishing.local_log import LocalLog
from tests.test_duplicates import event

folder = Path(sys.argv[1])
publisher = Duplicates(LocalLog(folder, disk_timeout=30), folder, 600)
publisher.start()
placements = publisher.publish([event(id) for id in sys.argv[2]]).result(30)
print(*(f"{placement.offset}{placement.duplicate}" for placement in placements), flush=True)
os._exit(0)  # as if killed with the receipt on its way
"""


def test_an_event_is_known_to_other_processes_once_its_receipt_is_given(tmp_path: Path) -> None:
    def send_from_elsewhere(ids: str) -> list[str]:
        command = [sys.executable, "-c", SENDER, str(tmp_path), ids]
        root = Path(__file__).parent.parent
        return subprocess.check_output(command, cwd=root, text=True, timeout=60).split()

    publisher = Duplicates(LocalLog(tmp_path, disk_timeout=10), tmp_path, 600)
    publisher.start()
    try:
        assert send(publisher, "a") == (FIRST,)
        assert send_from_elsewhere("ab") == ["0True", "1False"]
        assert send(publisher, "b") == (Placement(Outcome.PUBLISHED, 0, 1, duplicate=True),)
    finally:
        publisher.close()


def test_a_receipt_says_that_the_event_came_again_and_is_silent_otherwise(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    with opened(inner, tmp_path) as publisher:
        client = app.build(settings.load({}), publisher).application.test_client()
        first, again = (
            told(client.post("/events", json=cloudevent(), content_type="application/cloudevents+json"))
            for _ in range(2)
        )
    assert "duplicate" not in first["events"][0]
    assert again["events"][0] == first["events"][0] | {"duplicate": True}


# -- not the same -------------------------------------------------------------------------------------------


def test_the_same_id_with_another_source_topic_or_key_is_published(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    one = event("1")
    others = [changed(one, source="/t"), changed(one, topic="events.custom"), changed(one, key=b"incident/2")]
    with opened(inner, tmp_path) as publisher:
        for sent in (one, *others):
            assert not publisher.publish([sent]).result(WAIT)[0].duplicate
    assert inner.records == [one, *others]


def test_where_a_source_ends_and_an_id_begins_tells_events_apart() -> None:
    assert digest(changed(event("bc"), source="a")) != digest(changed(event("c"), source="ab"))


@pytest.mark.parametrize("nameless", [changed(event("1"), source=""), changed(event("1"), id="")])
def test_a_record_without_an_identity_is_published_every_time(
    nameless: Record, inner: MemoryPublisher, tmp_path: Path
) -> None:
    with opened(inner, tmp_path) as publisher:
        for _ in range(2):
            publisher.publish([nameless, nameless]).result(WAIT)
    assert len(inner.records) == 4


def test_an_event_is_published_again_after_the_window(inner: MemoryPublisher, tmp_path: Path) -> None:
    clock = Clock()
    with opened(inner, tmp_path, clock=clock) as publisher:
        send(publisher, "1")
        clock.time += WINDOW - 1
        assert send(publisher, "1") == (AGAIN,)
        clock.time += 1
        assert not send(publisher, "1")[0].duplicate
    assert ids(inner) == ["1", "1"]


def test_an_event_from_before_the_clock_stepped_back_is_published_again_and_then_known(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    clock = Clock()
    with opened(inner, tmp_path, clock=clock) as publisher:
        send(publisher, "1")
        clock.time -= 3_600
        assert not send(publisher, "1")[0].duplicate
        assert send(publisher, "1")[0].duplicate


@pytest.mark.parametrize("step", [WINDOW, -3_600])
def test_old_rows_leave_a_few_at_a_time_as_new_ones_come(
    step: float, inner: MemoryPublisher, tmp_path: Path
) -> None:
    def rows() -> int:
        [(number,)] = database.query(tmp_path / duplicates_file.NAME, "SELECT count(*) FROM seen")
        return int(number)

    clock = Clock()
    with opened(inner, tmp_path, clock=clock) as publisher:
        send(publisher, *(str(n) for n in range(50)))
        clock.time += step
        send(publisher, "new")
        assert rows() == 50 - 2 + 1
        for n in range(49):
            send(publisher, f"newer {n}")
        assert rows() == 50


# -- the publisher fails ------------------------------------------------------------------------------------


def test_a_repeat_of_an_event_that_failed_is_published(inner: MemoryPublisher, tmp_path: Path) -> None:
    inner.fault = Unavailable("Kafka is away")
    with opened(inner, tmp_path) as publisher:
        assert isinstance(publisher.publish([event("1")]).exception(WAIT), Unavailable)
        inner.fault = None
        assert send(publisher, "1") == (FIRST,)


def test_a_repeat_shares_the_failure_of_the_first_but_not_the_fate_of_its_batch(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    inner.silent = True
    with opened(inner, tmp_path) as publisher:
        first = publisher.publish([event("1"), event("2")])
        answer = answer_first(inner)
        inner.silent = False
        again = publisher.publish([event("0"), event("1"), event("1")])
        answer.fail(Overloaded("full"))
        assert isinstance(first.exception(WAIT), Overloaded)
        error = again.exception(WAIT)
        assert isinstance(error, Overloaded)
        assert error.outcomes == (Outcome.PUBLISHED, Outcome.FAILED, Outcome.FAILED)
        assert error is not first.exception()
        assert [placement.duplicate for placement in send(publisher, "0", "1")] == [True, False]


def partly_refused(*outcomes: Outcome, pointer: str) -> GatewayError:
    error = TooLarge("too large", [Problem(pointer, "size", "too large")])
    error.outcomes = outcomes
    return error


def test_what_is_durable_of_a_refused_batch_is_known_again(inner: MemoryPublisher, tmp_path: Path) -> None:
    with opened(inner, tmp_path) as publisher:
        send(publisher, "seen")
        inner.fault = partly_refused(Outcome.PUBLISHED, Outcome.REJECTED, pointer="/1/payload")
        error = publisher.publish([event("1"), event("seen"), event("large")]).exception(WAIT)
        assert isinstance(error, TooLarge)
        assert error.outcomes == (Outcome.PUBLISHED, Outcome.PUBLISHED, Outcome.REJECTED)
        assert [problem.pointer for problem in error.problems] == ["/2/payload"]
        inner.fault = None
        assert send(publisher, "1") == (Placement(Outcome.PUBLISHED, duplicate=True),)
        assert not send(publisher, "large")[0].duplicate


def test_the_one_event_left_of_a_batch_is_pointed_at_in_the_whole_batch(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    with opened(inner, tmp_path) as publisher:
        send(publisher, "seen")
        inner.fault = partly_refused(Outcome.REJECTED, pointer="")
        error = publisher.publish([event("seen"), event("large")]).exception(WAIT)
    assert isinstance(error, TooLarge)
    assert [problem.pointer for problem in error.problems] == ["/1"]


def test_a_repeat_of_an_event_that_is_refused_meanwhile_is_asked_to_come_again(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    inner.silent = True
    with opened(inner, tmp_path) as publisher:
        first = publisher.publish([event("1"), event("2")])
        answer = answer_first(inner)
        again = publisher.publish([event("1")])
        answer.fail(TooLarge("the two of them are too large"))
        assert isinstance(first.exception(WAIT), TooLarge)
        assert isinstance(again.exception(WAIT), Unavailable), "it might well be taken alone"


def test_a_publisher_that_breaks_its_protocol_fails_its_own_requests_only(
    inner: MemoryPublisher, tmp_path: Path
) -> None:
    with opened(inner, tmp_path) as publisher:
        inner.raises = True
        assert isinstance(publisher.publish([event("1")]).exception(WAIT), InternalError)
        inner.raises, inner.silent = False, True
        future = publisher.publish([event("1")])
        answer_first(inner).succeed((FIRST, FIRST))
        assert isinstance(future.exception(WAIT), InternalError)
        inner.silent = False
        assert send(publisher, "1") == (FIRST,)


def test_a_publisher_that_never_answers_is_not_waited_for_for_ever(
    inner: MemoryPublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_LAST_RESORT_SECONDS", 0.05)
    inner.silent = True
    with opened(inner, tmp_path) as publisher:
        future, again = publisher.publish([event("1")]), publisher.publish([event("1")])
        assert isinstance(future.exception(WAIT), Unavailable)
        assert isinstance(again.exception(WAIT), Unavailable)
        inner.silent = False
        assert send(publisher, "1") == (FIRST,)


def test_a_sender_that_is_gone_changes_nothing_for_a_repeat(inner: MemoryPublisher, tmp_path: Path) -> None:
    inner.silent = True
    with opened(inner, tmp_path) as publisher:
        first = publisher.publish([event("1")])
        answer = answer_first(inner)
        again = publisher.publish([event("1")])
        assert first.fail(ConnectionError("the sender is gone"))
        answer.succeed((FIRST,))
        assert again.result(WAIT) == (AGAIN,)


# -- the disk fails -----------------------------------------------------------------------------------------


def test_events_are_published_while_the_disk_refuses_and_known_again_after(
    inner: MemoryPublisher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.write_text("in the way")
    with opened(inner, folder) as publisher:
        for _ in range(3):
            assert not send(publisher, "1")[0].duplicate
        assert publisher.healthy().ready
        folder.unlink()
        assert not send(publisher, "1")[0].duplicate
        assert send(publisher, "1")[0].duplicate
    assert [told.levelno for told in caplog.records if told.levelno > logging.INFO] == [logging.ERROR]


def test_a_mark_that_a_full_disk_refuses_costs_no_receipt(inner: MemoryPublisher, tmp_path: Path) -> None:
    with opened(inner, tmp_path) as publisher:
        send(publisher, "1")
        with file_size_limit(1):
            assert not send(publisher, "2")[0].duplicate
            assert not send(publisher, "2")[0].duplicate
        assert [placement.duplicate for placement in send(publisher, "1", "2")] == [True, False]


@dataclass
class Stuck:
    """A disk that hangs in one of the file's methods, from ``begun`` until it is freed."""

    begun: threading.Event = field(default_factory=threading.Event)
    freed: threading.Event = field(default_factory=threading.Event)

    def hang(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        original = getattr(SeenFile, method)

        def stuck(*values: object) -> object:
            self.begun.set()
            self.freed.wait(WAIT)
            return original(*values)

        monkeypatch.setattr(SeenFile, method, stuck)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is given up soon."""
    monkeypatch.setattr(duplicates_file, "_FIND_SECONDS", 0.3)
    monkeypatch.setattr(duplicates_file, "_MARK_SECONDS", 0.3)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    disk = Stuck()
    yield disk
    disk.freed.set()


@pytest.mark.parametrize("method", ["find", "mark"])
def test_a_disk_that_hangs_is_waited_for_once_and_repeats_are_known_from_memory(
    method: str,
    inner: MemoryPublisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stuck: Stuck,
    hasty: None,
) -> None:
    caplog.set_level(logging.INFO, duplicates_file.__name__)
    with opened(inner, tmp_path) as publisher:
        assert eventually(lambda: not publisher._seen._file.broken)  # it is open
        stuck.hang(monkeypatch, method)
        assert send(publisher, "1") == (FIRST,)
        assert not stuck.freed.is_set()
        futures = [publisher.publish([event(id)]) for id in "2312"]
        assert all(future.done() for future in futures)
        assert [future.result()[0].duplicate for future in futures] == [False, False, True, True]
        stuck.freed.set()
        monkeypatch.undo()
        assert eventually(lambda: send(publisher, "4")[0].duplicate and len(caplog.records) == 2)
        assert [placement.duplicate for placement in send(publisher, "1", "2", "3")] == [True] * 3
    assert ids(inner) == ["1", "2", "3", "4"]
    assert [told.levelno for told in caplog.records] == [logging.WARNING, logging.INFO]


def test_what_is_remembered_while_the_disk_hangs_is_bounded_in_time_and_number(
    inner: MemoryPublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck: Stuck, hasty: None
) -> None:
    clock = Clock()
    monkeypatch.setattr(duplicates_file, "_MOST_UNWRITTEN", 2)
    with opened(inner, tmp_path, clock=clock) as publisher:
        assert eventually(lambda: not publisher._seen._file.broken)
        stuck.hang(monkeypatch, "mark")
        send(publisher, "1")
        assert [send(publisher, id)[0].duplicate for id in "23123"] == [False, False, True, True, False]
        clock.time += WINDOW
        assert [send(publisher, id)[0].duplicate for id in "12"] == [False, False]
        stuck.freed.set()


def test_a_file_that_another_process_keeps_locked_keeps_no_event_waiting(
    inner: MemoryPublisher, tmp_path: Path, hasty: None
) -> None:
    with opened(inner, tmp_path) as publisher:
        send(publisher, "1")
        locked = SeenFile(tmp_path, WINDOW)
        with locked.transaction():
            assert not send(publisher, "2")[0].duplicate
            assert not send(publisher, "3")[0].duplicate
        locked.close()


def test_closing_ends_every_future_whoever_hangs(
    inner: MemoryPublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck: Stuck
) -> None:
    with opened(inner, tmp_path) as publisher:
        inner.silent = True
        futures = [publisher.publish([event("1")])]
        answer_first(inner)
        stuck.hang(monkeypatch, "find")
        futures += [publisher.publish([event(id)]) for id in "212"]
        assert stuck.begun.wait(WAIT)
        freeing = threading.Timer(0.1, stuck.freed.set)
        freeing.start()
    assert all(isinstance(future.exception(0), Unavailable) for future in futures)


# -- order --------------------------------------------------------------------------------------------------


@dataclass
class SlowFile:
    """Look-ups that end when the test says so."""

    finds: list[Promise[dict[bytes, Placement]]] = field(default_factory=list)

    def find(self, digests: Sequence[bytes]) -> Promise[dict[bytes, Placement]]:
        self.finds.append(Promise())
        return self.finds[-1]


def test_events_reach_the_publisher_in_the_order_they_came_whenever_they_are_looked_up(
    inner: MemoryPublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(inner, tmp_path) as publisher:
        slow = SlowFile()
        monkeypatch.setattr(publisher._seen, "find", slow.find)
        futures = [publisher.publish([event(id)]) for id in "123"]
        for index in (2, 1):
            slow.finds[index].succeed({})
        assert inner.records == []
        slow.finds[0].succeed({})
        assert [future.result(WAIT)[0].offset for future in futures] == [0, 1, 2]
    assert ids(inner) == ["1", "2", "3"]


def test_the_line_keeps_its_order_whoever_makes_ready() -> None:
    handed: list[int] = []
    line = InTurn(handed.append)
    for number in range(200):
        line.join(number)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(line.ready, reversed(range(200))))
    line.wait(WAIT)
    assert handed == list(range(200))


def test_the_line_hands_on_one_at_a_time_though_what_it_hands_on_makes_the_next_ready() -> None:
    steps: list[str] = []

    def hand_on(number: int) -> None:
        steps.append(f"{number} begins")
        if number < 2:
            line.ready(number + 1)
        steps.append(f"{number} ends")

    line = InTurn(hand_on)
    for number in range(3):
        line.join(number)
    line.ready(0)
    assert steps == [f"{number} {what}" for number in range(3) for what in ("begins", "ends")]
