"""Everything breaks, in any order, and then heals: nothing acknowledged is lost, doubled or overtaken.

``STORM_SECONDS`` is how long each test goes on, ``STORM_SEED`` where the seeds begin.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import TooLarge, Unavailable
from gateway.model import Placement, Record
from gateway.promises import Promise
from gateway.publishing import drainer, group_commit, pace, spool, spool_file
from gateway.publishing.spool import Spool
from gateway.publishing.spool_file import SpoolFile
from gateway.publishing.spooling import Spooling
from tests import fake_disk
from tests.fake_disk import FakeDisk
from tests.fake_kafka import FakeKafka
from tests.publisher_contract import eventually
from tests.samples import record
from tests.spooling_steps import Steps, dead_letter, state

SECONDS = float(os.environ.get("STORM_SECONDS", "3"))
SEED = int(os.environ.get("STORM_SEED") or random.SystemRandom().randrange(10**6))
BUDGET, DISK_TIMEOUT = 0.05, 0.3
LONGEST_WAIT = 4.0  # what a sender is promised
TOPICS = ("events.one", "events.two", "events.three")

pytestmark = pytest.mark.timeout(60 + 20 * SECONDS)


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in life takes a moment here, so that more happens."""
    monkeypatch.setattr(pace, "_FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(pace, "_LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(drainer, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(drainer, "_HOUSEKEEPING_SECONDS", 0.1)
    monkeypatch.setattr(group_commit, "_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(spool, "_RESERVE_BYTES", 4_096)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FakeDisk:
    return fake_disk.install(monkeypatch)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: the seeds matter here, not the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


# -- step by step -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ghosts", [0.0, 0.5])
def test_whatever_comes_between_two_steps_nothing_is_lost_doubled_or_overtaken(
    folder: Path, disk: FakeDisk, ghosts: float
) -> None:
    """``ghosts``: how many of the commits that fail are on the disk all the same, as after a failed sync."""
    disk.but_writes = ghosts
    end = time.monotonic() + SECONDS
    followed = held = 0
    for seed in count(SEED):
        steps = Steps(folder / str(seed), disk, seed, always_spool=seed % 7 == 6)
        try:
            for _ in range(150):
                steps.step()
            steps.heal()
            steps.check()
        except BaseException:
            print("\n".join(steps.trace), f"\nSTORM_SEED={seed}")
            raise
        followed, held = followed + steps.followed, held + steps.held
        if time.monotonic() > end and ((followed and held) or time.monotonic() > end + SECONDS):
            break
    print(f"{seed - SEED + 1} seeds, from STORM_SEED={SEED}; {followed} followed, {held} held back")
    assert followed and held


# -- with threads -------------------------------------------------------------------------------------------


class StormyKafka(FakeKafka):
    """Fails as a client does: where it fails a record, it fails all behind it in its lane."""

    def fail_some(self, rng: random.Random) -> None:
        with self._one_at_a_time:
            lanes = sorted({sent.lane for sent, _, _ in self.held})
            spared = Counter({lane: rng.choice((0, 0, 1, 3)) for lane in lanes if rng.random() < 0.7})
            failing = set(spared)
            while taken := self._take_of(failing, spared):
                rng.shuffle(taken)
                for _, index, ended in taken:
                    ended([(index, Unavailable("failed"))])
                spared.clear()  # what came meanwhile is behind

    def _take_of(self, lanes: set[Any], spared: Counter[Any]) -> list[Any]:
        with self._lock:
            kept, taken = [], []
            for one in self.held:
                lane = one[0].lane
                if lane not in lanes or spared[lane] > 0:
                    spared[lane] -= 1
                    kept.append(one)
                else:
                    taken.append(one)
            self.held = kept
        return taken


@dataclass
class Asked:
    """A request, and when it was answered."""

    records: Sequence[Record]
    future: Promise[tuple[Placement, ...]]
    waited: float | None = None

    @property
    def accepted(self) -> Sequence[Record]:
        return self.records if self.future.exception(0) is None else ()


@dataclass
class Storm:
    folder: Path
    disk: FakeDisk
    rng: random.Random
    written: list[Record] = field(default_factory=list)
    asked: list[list[Asked]] = field(default_factory=list)  # by thread
    left: list[Record] = field(default_factory=list)
    slots: Iterator[int] = field(default_factory=lambda: count(100))
    over: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        self.kafka = StormyKafka()
        self.kafka.written = self.written
        self.kafka.refusing = {b"refused %d" % n: TooLarge("too large") for n in range(4)}
        self.kafka.refusing |= {b"dead refused %d" % n: TooLarge("too large") for n in range(2)}
        publisher = Spooling(
            self.kafka,
            Spool(self.folder),
            budget=BUDGET,
            disk_timeout=DISK_TIMEOUT,
            max_bytes=100_000,
            max_in_flight_bytes=30_000,
            step_aside=dead_letter,
        )
        publisher.start()
        self.publisher = publisher

    def publish(self, thread: int) -> None:
        """Each thread has lanes of its own, so that the order in which it publishes is theirs."""
        rng, numbers = random.Random(f"{self.rng.random()}{thread}"), count()
        lanes = [(topic, f"{thread}/{n}") for topic in TOPICS for n in range(2)]
        asked = self.asked[thread]
        while not self.over.is_set():
            lanes_now = [rng.choice(lanes) for _ in range(rng.choice((1, 1, 1, 4)))]
            records = [record(*lane, b"%d %d" % (thread, next(numbers)), "n") for lane in lanes_now]
            began = time.monotonic()
            future = self.publisher.publish(records)
            one = Asked(records, future)
            future.then(lambda _, one=one, began=began: _clock(one, began))  # type: ignore[misc]
            asked.append(one)
            time.sleep(rng.choice((0, 0, 0.001, 0.005)))
            if rng.random() < 0.05:
                future.exception(LONGEST_WAIT + 10)

    def blow(self) -> None:
        """Break something, or mend it."""
        chosen: Callable[[], object] = self.rng.choice(
            (
                *[self.kafka.hang] * 3,
                *[self.kafka.heal] * 4,
                *[lambda: self.kafka.fail_some(self.rng)] * 4,
                lambda: self.kafka.acknowledge(self.rng.randint(1, 50)),
                lambda: setattr(self.kafka, "available", self.rng.random() < 0.5),
                lambda: setattr(self.kafka, "missing", {self.rng.choice(TOPICS)}),
                lambda: setattr(self.kafka, "missing", set()),
                self.disk.hang,
                *[self.disk.heal] * 3,
                lambda: setattr(self.disk, "refuses", self.rng.choice((0.1, 0.5, 1))),
                self.leave_a_file,
                self.restart,
            )
        )
        chosen()

    def leave_a_file(self) -> None:
        """Another process ends and leaves rows, some of lanes that are ours, too."""
        if self.disk.refuses or self.disk.hangs:
            return
        file = SpoolFile(self.folder / spool_file.file_name(next(self.slots)))
        rows = [record(TOPICS[0], "0/0", b"left %d" % (len(self.left) + n), "n") for n in range(5)]
        with file.transaction():
            file.append(rows)
        file.close()
        self.left += rows

    def restart(self) -> None:
        """Stop with Kafka and the network as they are; with the disk whole, or copies would be no wonder."""
        self.disk.heal()
        if eventually(lambda: not self.publisher._spool.broken):
            self.publisher.close()
            self.begin()
            assert eventually(lambda: self.publisher._dispatch._known), "else what it holds may be overtaken"

    def rage(self, seconds: float, threads: int = 3) -> None:
        self.asked = [[] for _ in range(threads)]
        senders = [threading.Thread(target=self.publish, args=(n,)) for n in range(threads)]
        for sender in senders:
            sender.start()
        for n in range(4):
            self.publisher.publish([record(TOPICS[0], "refused/1", b"refused %d" % n, "n")])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.blow()
            time.sleep(self.rng.choice((0.0, 0.005, 0.02, 0.1)))
        self.over.set()
        for sender in senders:
            sender.join()

    def calm(self) -> None:
        self.disk.heal()
        self.kafka.missing = set()
        self.kafka.heal()
        assert eventually(lambda: all(one.future.done() for asked in self.asked for one in asked))
        assert eventually(lambda: not any(state(self.publisher).values())), state(self.publisher)


def _clock(asked: Asked, began: float) -> None:
    asked.waited = time.monotonic() - began


def check(storm: Storm) -> None:
    rest = spool_file.read_back(storm.folder)
    assert [row.record.value for row in rest if not row.parked] == []
    found = Counter(sent.value for sent in storm.written)
    assert [value for value, times in found.items() if times > 1] == []
    found.update(row.record.value for row in rest)
    everything = [one for asked in storm.asked for one in asked]
    accepted = [sent.value for one in everything for sent in one.accepted]
    assert [value for value in accepted if found[value] != 1] == []
    assert [left.value for left in storm.left if found[left.value] != 1] == []
    for asked in storm.asked:
        sent = [one for each in asked for one in each.accepted]
        for lane in {one.lane for one in sent}:
            wanted = [one.value for one in sent if one.lane == lane]
            among = set(wanted)
            assert [one.value for one in storm.written if one.value in among] == wanted
    longest = max(one.waited or 0 for one in everything)
    print(f"{len(everything)} requests, the longest wait was {longest:.1f} s")
    assert longest < LONGEST_WAIT


def test_in_a_storm_nothing_is_lost_doubled_or_overtaken_and_every_sender_has_an_answer(
    folder: Path, disk: FakeDisk
) -> None:
    print(f"STORM_SEED={SEED}")
    storm = Storm(folder, disk, random.Random(SEED))
    storm.begin()
    assert eventually(lambda: storm.publisher.healthy().status == "Kafka"), "else none may be published"
    try:
        storm.rage(SECONDS)
        storm.calm()
    finally:
        storm.over.set()
        disk.heal()
        storm.publisher.close()
    check(storm)
    outcomes = Counter(
        placement.outcome.value
        for asked in storm.asked
        for one in asked
        if not one.future.exception(0)
        for placement in one.future.result(0)
    )
    assert outcomes["published"] and outcomes["spooled"], "the storm was none"
