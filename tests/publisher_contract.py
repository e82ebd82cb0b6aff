"""What every publisher promises: one suite for the memory, the local log and Kafka.

To hold another publisher to it, derive a test class and give it a ``made`` fixture::

    class TestBrokerAck(PublisherContract):
        @pytest.fixture
        def made(self, kafka: Broker) -> Made:
            return Made(BrokerAck(...), topics=(..., ...), read=...)

The topics must exist and be empty, the publisher must not be started yet.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from gateway.errors import Unavailable
from gateway.haste import Haste
from gateway.model import Outcome, Placement, Publisher, Record
from gateway.promises import Promise
from tests.samples import record

WAIT = 30.0


@dataclass(frozen=True)
class Stored:
    """A record as it is read back, and where it lay."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Made:
    """A publisher, two empty topics, and a way to read all that lies in them, in order within a partition."""

    publisher: Publisher
    topics: tuple[str, str]
    read: Callable[[], list[Stored]]


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until it holds; False when it does not within half a minute."""
    end = time.monotonic() + WAIT
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def stored(sent: Record, placement: Placement) -> Stored:
    assert placement.partition is not None
    assert placement.offset is not None
    where = (sent.topic, placement.partition, placement.offset)
    return Stored(*where, sent.key, sent.value, sent.headers)


class PublisherContract:
    """The suite. Its fixtures start the publisher, and close it whatever a test did."""

    @pytest.fixture
    def started(self, made: Made) -> Iterator[Made]:
        made.publisher.start()
        assert eventually(lambda: made.publisher.healthy().ready)
        yield made
        made.publisher.close()

    def test_every_record_has_a_placement_in_the_order_given(self, started: Made) -> None:
        one, two = started.topics
        records = [record(topic, note=str(n)) for n, topic in enumerate((one, two, two, one))]
        placements = started.publisher.publish(records).result(WAIT)
        assert [placement.outcome for placement in placements] == [Outcome.PUBLISHED] * 4
        wanted = [stored(sent, placement) for sent, placement in zip(records, placements, strict=True)]
        assert sorted(wanted, key=_place) == sorted(started.read(), key=_place)

    def test_records_are_read_back_as_they_were_given(self, started: Made) -> None:
        value = '{"payload":{"n":1.10,"é":"\U0001f600 \\u0000"}}'.encode()
        sent = record(started.topics[0], "incident/größe/€", value, note="größer 100 %")
        (placement,) = started.publisher.publish([sent]).result(WAIT)
        assert started.read() == [stored(sent, placement)]

    def test_a_large_record_is_read_back_whole(self, started: Made) -> None:
        sent = record(started.topics[0], value=b'"' + b"x" * 900_000 + b'"')
        started.publisher.publish([sent]).result(WAIT)
        assert [read.value for read in started.read()] == [sent.value]

    def test_offsets_grow_by_one_within_a_partition(self, started: Made) -> None:
        for n in range(5):
            batch = [record(topic, f"k/{n}") for topic in (*started.topics, started.topics[0])]
            started.publisher.publish(batch).result(WAIT)
        offsets = defaultdict(list)
        for read in started.read():
            offsets[read.topic, read.partition].append(read.offset)
        assert all(found == list(range(len(found))) for found in offsets.values())
        assert sum(map(len, offsets.values())) == 15

    def test_a_key_stays_in_one_partition(self, started: Made) -> None:
        for n in range(4):
            started.publisher.publish([record(started.topics[0], f"k/{n % 2}")]).result(WAIT)
        partitions = {(read.key, read.partition) for read in started.read()}
        assert len(partitions) == 2

    @pytest.mark.parametrize(
        "haste", [Haste(budget=WAIT), Haste(spool=True), Haste(WAIT, spool=True)], ids=str
    )
    def test_a_record_of_a_sender_in_haste_is_taken_as_well_and_read_back_once(
        self, started: Made, haste: Haste
    ) -> None:
        sent = [record(started.topics[0], note=str(n)) for n in range(2)]
        for placement in started.publisher.publish(sent, haste).result(WAIT):
            assert placement.outcome in (Outcome.PUBLISHED, Outcome.SPOOLED)
        assert eventually(lambda: len(started.read()) == 2)
        assert [read.headers for read in started.read()] == [one.headers for one in sent]

    def test_no_records_need_no_place(self, started: Made) -> None:
        assert started.publisher.publish([]).result(WAIT) == ()
        assert started.read() == []

    def test_publishers_at_the_same_time_lose_nothing_and_keep_their_order(self, started: Made) -> None:
        def publish(writer: int) -> list[Placement]:
            """Many requests in flight at once, all of one key; then wait for all."""
            futures = [
                started.publisher.publish([_numbered(started, writer, n), _numbered(started, writer, n + 1)])
                for n in range(0, 40, 2)
            ]
            return [placement for future in futures for placement in future.result(WAIT)]

        with ThreadPoolExecutor(8) as pool:
            placements = list(pool.map(publish, range(8)))
        assert sum(map(len, placements)) == 320
        read = started.read()
        assert len({(found.topic, found.partition, found.offset) for found in read}) == len(read) == 320
        for writer in range(8):
            values = [int(found.value) for found in read if found.key == b"writer/%d" % writer]
            assert values == list(range(40))

    def test_it_is_not_ready_before_its_start(self, made: Made) -> None:
        assert not made.publisher.healthy().ready

    def test_it_is_ready_after_its_start_and_says_so(self, started: Made) -> None:
        health = started.publisher.healthy()
        assert health.ready
        assert health.status
        assert health.missing_topics == ()

    def test_it_is_not_ready_after_its_close(self, started: Made) -> None:
        started.publisher.close()
        assert not started.publisher.healthy().ready

    def test_after_its_close_it_takes_nothing(self, started: Made) -> None:
        started.publisher.close()
        future = started.publisher.publish([record(started.topics[0])])
        assert isinstance(future.exception(WAIT), Unavailable)
        assert started.read() == []

    def test_closing_twice_is_closing_once(self, started: Made) -> None:
        started.publisher.close()
        started.publisher.close()

    def test_closing_without_a_start_does_not_hang(self, made: Made) -> None:
        made.publisher.close()

    def test_closing_keeps_what_was_taken(self, started: Made) -> None:
        futures = _publish_singly(started, 50)
        started.publisher.close()
        assert all(future.result(WAIT) for future in futures)
        assert [read.value for read in started.read()] == [str(n).encode() for n in range(50)]

    def test_every_future_ends_though_it_is_closed_meanwhile(self, started: Made) -> None:
        with ThreadPoolExecutor(4) as pool:
            publishing = [pool.submit(_publish_singly, started, 50) for _ in range(4)]
            started.publisher.close()
            futures = [future for done in publishing for future in done.result(WAIT)]
        refused = [future.exception(WAIT) for future in futures if future.exception(WAIT)]
        assert all(isinstance(error, Unavailable) for error in refused)
        taken = [placement for future in futures if not future.exception() for placement in future.result()]
        published = [placement for placement in taken if placement.outcome is Outcome.PUBLISHED]
        assert len(started.read()) >= len(published)


def _numbered(made: Made, writer: int, number: int) -> Record:
    return record(made.topics[0], f"writer/{writer}", str(number).encode())


def _publish_singly(made: Made, number: int) -> list[Promise[tuple[Placement, ...]]]:
    return [made.publisher.publish([record(made.topics[0], "k/1", str(n).encode())]) for n in range(number)]


def _place(read: Stored) -> tuple[str, int, int]:
    return read.topic, read.partition, read.offset
