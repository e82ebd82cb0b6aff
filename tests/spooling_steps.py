"""A publisher with a spool, one step at a time: no thread runs, so that a seed tells all that happens.

Kafka answers, the disk commits, a budget ends and the drainer goes on when a step says so; other steps come
between the drainer's question to the disk and its use of the answer. Everything else is the real thing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError, RecordRefused, Unavailable
from gateway.haste import NO_HASTE, Haste
from gateway.model import Health, Outcome, Placement, Record
from gateway.promises import Promise
from gateway.publishing import spool_file
from gateway.publishing.client import Ended, Lane
from gateway.publishing.spool import Spool, SpoolFiles
from gateway.publishing.spooling import Spooling
from tests.fake_disk import FakeDisk
from tests.samples import record

TOPICS = ("events.one", "events.two")
DEAD = "events.deadletter"
REFUSED = b"refused "  # a value that begins so is refused
REFUSED_TWICE = REFUSED + b"twice "  # and its dead letter, too
FILLERS = (*[b""] * 15, *[b"." * 40] * 15, b"." * 900)  # the last is more than may be under way


class StepKafka:
    """Brokers that answer when they are told to, and know each record that they were given twice."""

    def __init__(self, written: list[Record], rng: random.Random) -> None:
        self.written = written
        self.available = False
        self.missing: set[str] = set()
        self.held: list[tuple[Record, int, Ended]] = []
        self.twice: list[bytes] = []
        self.fickle = True
        self._rng = rng

    def start(self) -> None: ...

    def takes(self, topic: str) -> bool:
        if self.fickle and self._rng.random() < 0.02:
            self.missing ^= {topic}  # asked twice, it may say two things
        return self.available and topic not in self.missing

    def send(self, records: Sequence[Record], ended: Ended) -> None:
        if self.fickle and self._rng.random() < 0.05:  # it takes none, and says so before this returns
            ended([(index, Unavailable("failed")) for index in range(len(records))])
            return
        for index, sent in enumerate(records):
            known = [one.value for one in (*self.written, *(held for held, _, _ in self.held))]
            self.twice += [sent.value] * (sent.value in known)
            self.held.append((sent, index, ended))

    def acknowledge(self, lane: Lane, most: int) -> None:
        """Answer the first of a lane."""
        for sent, index, ended in self._take([one for one in self.held if one[0].lane == lane][:most]):
            if sent.value.startswith((REFUSED, b"dead " + REFUSED_TWICE)):
                ended([(index, RecordRefused("refused"))])
            else:
                self.written.append(sent)
                ended([(index, Placement(Outcome.PUBLISHED, 0, 0))])

    def fail(self, lane: Lane, but: int) -> None:
        """Give up all of a lane but its first, in any order; they are not on the brokers."""
        taken = self._take([one for one in self.held if one[0].lane == lane][but:])
        self._rng.shuffle(taken)
        for _, index, ended in taken:
            ended([(index, Unavailable("failed"))])

    def lanes(self) -> list[Lane]:
        return list(dict.fromkeys(sent.lane for sent, _, _ in self.held))

    def healthy(self) -> Health:
        return Health(self.available, "Kafka")

    def close(self, seconds: float) -> None:
        for lane in self.lanes():
            self.fail(lane, 0)

    def _take(self, chosen: list[tuple[Record, int, Ended]]) -> list[tuple[Record, int, Ended]]:
        self.held = [one for one in self.held if one not in chosen]
        return chosen


def dead_letter(refused: Record, error: GatewayError) -> Record:
    return record(DEAD, refused.key.decode(), b"dead " + refused.value)


def state(publisher: Spooling) -> dict[str, object]:
    """What must be nothing once all is well."""
    shelf, dispatch, rows = publisher._shelf, publisher._dispatch, publisher._shelf.rows
    return {
        "records": shelf.backlog.records,
        "bytes": shelf.backlog.bytes,
        "lanes": len(shelf.backlog._lanes),
        "writing": shelf.writing.bytes,
        "held": dispatch._held.bytes,
        "pace": dispatch._resending.pace.under_way,
        "under way": bool(dispatch._under_way),
        "held back": len(shelf.brake._held),
        "rows": len(rows._held | rows._changing | rows._leaving),
        "away": dispatch.away,
    }


class Steps:
    """One seed's story; ``trace`` tells it."""

    def __init__(self, folder: Path, disk: FakeDisk, seed: int, *, always_spool: bool) -> None:
        self.rng = random.Random(seed)
        self.trace: list[str] = []
        self.written: list[Record] = []
        self.asked: list[tuple[Sequence[Record], Promise[tuple[Placement, ...]]]] = []
        self.left: list[Record] = []  # by other processes
        self._folder = folder
        self._disk = disk
        disk.rng = random.Random(seed)
        self._always_spool = always_spool
        self._now = 0.0
        self._depth = 0
        self._calm = False
        self._numbers: Counter[Lane] = Counter()
        self._slots = count(100)
        self._life = 0  # how many times the spool could not be read at a start: it may be overtaken then
        self._lives: dict[bytes, int] = {}
        self.followed = self.held = 0  # how often a record went direct behind rows, an answer was held back
        self._begin()

    def _begin(self) -> None:
        self.kafka = StepKafka(self.written, self.rng)
        self._spool = Spool(self._folder)
        self.publisher = Spooling(
            self.kafka,
            self._spool,
            always_spool=self._always_spool,
            budget=1,
            disk_timeout=1,
            max_bytes=4_000,
            max_in_flight_bytes=700,
            step_aside=dead_letter,
        )
        self._dispatch, self._drainer = self.publisher._dispatch, self.publisher._drainer
        self._dispatch._resending.pace._now = lambda: self._now
        self._drainer._do = self._ask_the_disk  # type: ignore[method-assign]
        self._spool.submit(SpoolFiles.waiting).then(self._read_back)

    def _read_back(self, done: Promise[Any]) -> None:
        self._life += done.exception() is not None
        self._drainer._read_back(done)

    # -- steps ----------------------------------------------------------------------------------------------

    def step(self) -> None:
        steps: dict[Callable[[], object], int] = {
            self.publish: 12,
            self.acknowledge: 10,
            self.give_up: 4,
            self.end_budgets: 6,
            self.end_waits_for_the_disk: 1,
            self.commit: 10,
            self.refuse_commit: 2,
            self.drain: 12,
            self.keep_house: 2,
            self.flip_topic: 2,
            self.flip_kafka: 2,
            self.wait: 5,
            self.leave_a_file: 1,
            self.restart: 1,
        }
        chosen = self.rng.choices(list(steps), list(steps.values()))[0]
        if self._depth and chosen in (self.drain, self.keep_house, self.restart):
            return  # the drainer is one thread, and is over when its publisher is
        self.trace.append("  " * self._depth + getattr(chosen, "__name__", ""))
        chosen()
        assert not self.kafka.twice, f"sent twice: {self.kafka.twice}"

    def publish(self) -> None:
        records = [self._a_record() for _ in range(self.rng.choice((1, 1, 1, 2, 3)))]
        self.trace[-1] += f" {[sent.value for sent in records]}"
        haste = self.rng.choice((NO_HASTE, NO_HASTE, Haste(spool=True), Haste(budget=0.5)))
        self.asked.append((records, self.publisher.publish(records, haste)))
        self.followed += any(self._follows(sent) for sent in records)

    def _follows(self, sent: Record) -> bool:
        """Whether a record went to the client directly, behind one that is in the spool."""
        items = list(self._dispatch._under_way._lanes.get(sent.lane, ()))
        ours = [item for item in items if item.record is sent and not item.spooled]
        return bool(ours) and any(item.spooled and not item.over for item in items)

    def _a_record(self) -> Record:
        topic, key = self.rng.choice(TOPICS), f"k/{self.rng.randrange(2)}"
        lane = topic, key.encode()
        self._numbers[lane] += 1
        kind = self.rng.choices((b"", REFUSED, REFUSED_TWICE), (30, 1, 1))[0]
        value = kind + f"{topic} {key} {self._numbers[lane]}".encode() + self.rng.choice(FILLERS)
        self._lives[value] = self._life
        return record(topic, key, value, "n")

    def acknowledge(self) -> None:
        if self.kafka.available and (lanes := self.kafka.lanes()):
            self.kafka.acknowledge(self.rng.choice(lanes), self.rng.randint(1, 4))

    def give_up(self) -> None:
        if lanes := self.kafka.lanes():
            for lane in self.rng.sample(lanes, self.rng.randint(1, len(lanes))):
                self.kafka.fail(lane, self.rng.choice((0, 0, 1, 2)))

    def end_budgets(self) -> None:
        waiting = [item.request for item in self._dispatch._under_way.waiting()]
        held = list(self.publisher._shelf.brake._held)
        self.held += len(held)
        for request in dict.fromkeys([*waiting, *held]):
            if request and not request.future.done() and self.rng.random() < 0.5:
                self._dispatch.late(request, early=self.rng.random() < 0.3)

    def end_waits_for_the_disk(self) -> None:
        for _, future in self.asked:
            if not future.done() and self.rng.random() < 0.3:
                future.fail(Unavailable("slow"))

    def commit(self) -> None:
        """What the thread of the spool does, once."""
        if not self._spool._jobs.empty():
            self._spool._commit(self._spool._next_jobs() or [])

    def refuse_commit(self) -> None:
        self._disk.refuses = 1.0
        self.commit()
        self._disk.refuses = 0.0

    def drain(self) -> None:
        def once() -> None:
            self._drainer._step()

        self._drainer._rests_until = 0.0
        self._drainer._try(once)

    def keep_house(self) -> None:
        self._drainer._try(self._drainer._keep_house)

    def flip_topic(self) -> None:
        self.kafka.missing ^= {self.rng.choice(TOPICS)}

    def flip_kafka(self) -> None:
        self.kafka.available = self.rng.random() < 0.8

    def wait(self) -> None:
        self._now += self.rng.choice((0.1, 1, 20))

    def leave_a_file(self) -> None:
        """Another process ends, and leaves rows of lanes that are ours, too."""
        file = spool_file.SpoolFile(self._folder / spool_file.file_name(next(self._slots)))
        topic, key, known = self.rng.choice(TOPICS), f"k/{self.rng.randrange(2)}", len(self.left)
        rows = [record(topic, key, b"left %d" % (known + n), "n") for n in range(self.rng.randint(1, 3))]
        with file.transaction():
            file.append(rows)
        file.close()
        self.left += rows

    def restart(self) -> None:
        self._spool.start()
        self.publisher.close()
        assert all(future.done() for _, future in self.asked)
        self._begin()

    def _ask_the_disk(self, work: Callable[[SpoolFiles], Any]) -> Any:
        """Wait for the disk, as the drainer does, while other things happen."""
        self._depth += 1
        done = self._spool.submit(work, grows=False)
        while not done.done():
            self.commit() if self._calm else self.step()
        for _ in range(0 if self._calm else self.rng.randrange(3)):
            self.step()
        self._depth -= 1
        return done.result(0)

    # -- the end --------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Nothing is broken any more, and everything runs until nothing happens."""
        self.kafka.missing, self.kafka.available, self.kafka.fickle = set(), True, False
        self._calm = True
        before = 0
        for _ in range(400):
            self._now += 20
            self.drain()
            self.keep_house()
            self.commit()
            for lane in self.kafka.lanes():
                self.kafka.acknowledge(lane, 1_000)
            self.commit()
            if not any(self._state().values()) and before == len(self.written):
                return
            before = len(self.written)

    def _state(self) -> dict[str, object]:
        waits = {
            "open": sum(not future.done() for _, future in self.asked),
            "jobs": self._spool._jobs.qsize(),
        }
        return state(self.publisher) | waits

    def check(self) -> None:
        assert not self.kafka.twice, f"sent twice: {self.kafka.twice}"
        assert not any(self._state().values()), self._state()
        self._spool.start()
        self.publisher.close()
        rest = spool_file.read_back(self._folder)
        assert [row.record.value for row in rest if not row.parked] == []
        ends = [sent.value for sent in self.written] + [row.record.value for row in rest]
        accepted = [sent for records, done in self.asked if not done.exception(0) for sent in records]
        for sent in (*accepted, *self.left):
            found = ends.count(sent.value) + ends.count(b"dead " + sent.value)
            assert found == 1, f"{sent.value!r} came {found} times"
        for kept in self._in_order(accepted):
            assert [value for value in ends if value in kept] == kept, "out of order"

    def _in_order(self, accepted: Sequence[Record]) -> list[list[bytes]]:
        """Give the values that keep their order."""
        lanes: dict[object, list[bytes]] = {}
        published = {sent.value for sent in self.written}
        for sent in accepted:
            if sent.value in published:
                lanes.setdefault((sent.lane, self._lives[sent.value]), []).append(sent.value)
        return list(lanes.values())
