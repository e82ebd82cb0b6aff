"""The three states: direct, away, draining. What senders are told, and what Kafka has in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Refusal, TooLarge, Unavailable
from gateway.haste import Haste
from gateway.model import Outcome, Placement, Record
from gateway.promises import Promise
from gateway.publishing import drainer, spool_file
from gateway.publishing.broker_ack import BrokerAck
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from tests.fake_kafka import FakeKafka
from tests.publisher_contract import WAIT, Made, PublisherContract, Stored, eventually
from tests.samples import record

TOPIC, OTHER = "events.incident.detected", "events.incident.resolved"


@dataclass(frozen=True)
class Node:
    """One gateway process's publisher, over a Kafka that obeys."""

    kafka: FakeKafka
    publisher: Spooling
    folder: Path

    def publish(self, *values: str, key: str = "k/1", topic: str = TOPIC) -> Promise[tuple[Placement, ...]]:
        return self.publisher.publish([record(topic, key, value.encode()) for value in values])

    def outcomes(self, *values: str, key: str = "k/1", topic: str = TOPIC) -> list[str]:
        placements = self.publish(*values, key=key, topic=topic).result(WAIT)
        return [placement.outcome.value for placement in placements]

    def status(self) -> str:
        return self.publisher.healthy().status

    def drained(self) -> bool:
        return eventually(lambda: self.publisher.healthy().spooled == 0)


@contextmanager
def node(
    folder: Path, kafka: FakeKafka | None = None, *, connected: bool = True, **options: Any
) -> Iterator[Node]:
    kafka = kafka or FakeKafka()
    usual = {"budget": 0.05, "disk_timeout": 10, "max_bytes": 10**7, "max_in_flight_bytes": 10**6}
    publisher = Spooling(kafka, Spool(folder), **(usual | options))
    publisher.start()
    kafka.available = connected
    try:
        if connected:
            assert eventually(lambda: publisher.healthy().status == "Kafka")
        yield Node(kafka, publisher, folder)
    finally:
        publisher.close()


@pytest.fixture
def direct(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path) as made:
        yield made


@pytest.fixture
def away(direct: Node) -> Node:
    """A node whose Kafka hangs, and has been found to; one record, ``first``, is with the client."""
    direct.kafka.hang()
    assert direct.outcomes("first", key="k/0") == ["spooled"]
    return direct


def held(made: Node) -> list[bytes]:
    return [sent.value for sent, _, _ in made.kafka.held]


def stop_draining(made: Node) -> Callable[[], None]:
    """Leave what is in the spool there, until what this gives is called."""
    drainer = made.publisher._drainer
    step = drainer._step
    drainer._step = lambda: False  # type: ignore[method-assign]

    def go_on() -> None:
        drainer._step = step  # type: ignore[method-assign]

    return go_on


def numbered(values: Sequence[bytes], prefix: str) -> list[int]:
    return [int(value[len(prefix) :]) for value in values if value.startswith(prefix.encode())]


class TestSpooling(PublisherContract):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Iterator[Made]:
        kafka = FakeKafka()
        publisher = Spooling(
            kafka,
            Spool(tmp_path),
            budget=10,
            disk_timeout=10,
            max_bytes=10**7,
            max_in_flight_bytes=10**7,
        )
        yield Made(publisher, (TOPIC, OTHER), lambda: written(kafka))
        publisher.close()

    @pytest.fixture
    def started(self, made: Made) -> Iterator[Made]:
        made.publisher.start()
        assert eventually(lambda: made.publisher.healthy().status == "Kafka")
        yield made
        made.publisher.close()


class TestBrokerAck(PublisherContract):
    @pytest.fixture
    def made(self) -> Iterator[Made]:
        kafka = FakeKafka()
        publisher = BrokerAck(kafka, budget=10, max_in_flight_bytes=10**7)
        yield Made(publisher, (TOPIC, OTHER), lambda: written(kafka))
        publisher.close()


def written(kafka: FakeKafka) -> list[Stored]:
    offsets = {TOPIC: 0, OTHER: 0}
    found = []
    for sent in kafka.written:
        found.append(Stored(sent.topic, 0, offsets[sent.topic], sent.key, sent.value, sent.headers))
        offsets[sent.topic] += 1
    return found


# -- direct -------------------------------------------------------------------------------------------------


def test_a_record_goes_to_kafka_and_not_to_the_disk(direct: Node) -> None:
    assert direct.outcomes("a") == ["published"]
    assert direct.publisher.healthy().spooled == 0
    assert direct.kafka.values == [b"a"]


def test_a_record_that_kafka_refuses_is_told_to_its_sender_and_stops_no_other(direct: Node) -> None:
    direct.kafka.refusing[b"b"] = TooLarge("too large")
    assert isinstance(direct.publish("a", "b", "c").exception(WAIT), TooLarge)
    assert direct.outcomes("d") == ["published"]
    assert direct.kafka.values == [b"a", b"c", b"d"]


# -- away ---------------------------------------------------------------------------------------------------


def test_a_record_that_is_not_acknowledged_in_time_is_spooled(direct: Node) -> None:
    direct.kafka.hang()
    assert direct.outcomes("a", "b") == ["spooled", "spooled"]
    health = direct.publisher.healthy()
    assert health.ready
    assert (health.status, health.spooled) == ("Kafka is away; events go to the spool", 2)


def test_while_kafka_is_away_records_go_straight_to_the_spool(away: Node) -> None:
    assert away.outcomes("a") == ["spooled"]
    assert [held.value for held, _, _ in away.kafka.held] == [b"first"]


def test_what_was_under_way_when_kafka_went_away_is_spooled_with_the_late_one(tmp_path: Path) -> None:
    with node(tmp_path, budget=0.3) as made:
        made.kafka.hang()
        futures = [made.publish(f"n{n}", key=f"k/{n}") for n in range(10)]
        assert [future.result(WAIT)[0].outcome for future in futures] == [Outcome.SPOOLED] * 10
        made.kafka.heal()
        assert made.drained()
        assert made.kafka.values == [b"n%d" % n for n in range(10)]


def test_more_bytes_in_flight_than_the_bound_mean_away(tmp_path: Path) -> None:
    with node(tmp_path, budget=30, max_in_flight_bytes=10_000) as made:
        made.kafka.hang()
        first = made.publish("x" * 9_000)
        assert made.outcomes("y" * 9_000, key="k/2") == ["spooled"]
        assert first.result(WAIT)[0].outcome is Outcome.SPOOLED
        made.kafka.heal()
        assert made.drained()


def test_without_kafka_from_the_start_nobody_waits_and_all_arrives(tmp_path: Path) -> None:
    with node(tmp_path, connected=False, budget=30) as made:
        assert [made.outcomes(f"n{n}") for n in range(5)] == [["spooled"]] * 5
        made.kafka.heal()
        assert made.drained()
        assert numbered(made.kafka.values, "n") == list(range(5))


# -- back ---------------------------------------------------------------------------------------------------


def test_a_late_acknowledgement_takes_the_row_so_that_nothing_comes_twice(away: Node) -> None:
    away.kafka.heal()
    assert away.drained()
    assert away.outcomes("a") == ["published"]
    assert away.kafka.values == [b"first", b"a"]


def test_what_the_client_gave_up_is_sent_again_before_the_rest_of_its_key(away: Node) -> None:
    assert away.outcomes("a", "b", key="k/0") == ["spooled", "spooled"]
    away.kafka.fail()
    assert eventually(lambda: len(away.kafka.held) > 0)
    away.kafka.heal()
    assert away.drained()
    assert away.kafka.values == [b"first", b"a", b"b"]


def test_a_key_with_a_backlog_queues_behind_it_and_other_keys_go_direct(away: Node) -> None:
    go_on = stop_draining(away)
    assert away.outcomes("late", key="k/1") == ["spooled"]
    away.kafka.acknowledge(1)  # `first`: Kafka is back, `late` is still in the spool
    behind = away.publish("behind", key="k/1")
    beside = away.publish("beside", key="k/2")
    assert held(away) == [b"beside"]
    assert behind.result(WAIT)[0].outcome is Outcome.SPOOLED
    go_on()
    away.kafka.heal()
    assert beside.result(WAIT)
    assert away.drained()
    values = away.kafka.values
    assert values.index(b"late") < values.index(b"behind")
    assert sorted(values) == [b"behind", b"beside", b"first", b"late"]


def test_once_the_client_holds_the_whole_backlog_of_a_key_the_key_goes_direct_behind_it(away: Node) -> None:
    assert away.outcomes("late", key="k/1") == ["spooled"]
    away.kafka.acknowledge(1)
    assert eventually(lambda: held(away) == [b"late"])
    behind = away.publish("behind", key="k/1")
    assert held(away) == [b"late", b"behind"]
    away.kafka.heal()
    assert behind.result(WAIT)[0].outcome is Outcome.PUBLISHED
    assert away.drained()
    assert away.kafka.values == [b"first", b"late", b"behind"]


def test_what_went_direct_behind_a_backlog_that_the_client_gives_up_is_sent_again_behind_it(
    tmp_path: Path,
) -> None:
    with node(tmp_path, budget=10) as made:
        made.kafka.hang()
        late = made.publisher.publish([record(TOPIC, "k/1", b"late")], Haste(spool=True))
        assert late.result(WAIT)[0].outcome is Outcome.SPOOLED
        assert eventually(lambda: held(made) == [b"late"])
        behind = made.publish("behind")
        assert held(made) == [b"late", b"behind"]
        made.kafka.fail()
        last = made.publish("last")
        assert [each.result(WAIT)[0].outcome for each in (behind, last)] == [Outcome.SPOOLED] * 2
        made.kafka.heal()
        assert made.drained()
        assert made.kafka.values == [b"late", b"behind", b"last"]


def test_while_a_backlog_is_drained_what_queues_behind_it_is_answered_in_turn(tmp_path: Path) -> None:
    with node(tmp_path, budget=10) as made:
        made.kafka.hang()
        go_on = stop_draining(made)
        first = made.publisher.publish([record(TOPIC, "k/1", b"first")], Haste(spool=True))
        assert first.result(WAIT)
        behind = made.publish("behind")
        beside = made.publisher.publish([record(TOPIC, "k/1", b"in haste")], Haste(spool=True))
        assert beside.result(WAIT)[0].outcome is Outcome.SPOOLED
        assert not behind.done()
        go_on()
        made.kafka.heal()
        assert behind.result(WAIT)[0].outcome is Outcome.SPOOLED
        assert made.drained()


@pytest.mark.parametrize("why", ["late", "away", "closed"])
def test_an_answer_is_held_back_no_longer_than_the_budget_nor_once_kafka_is_away(
    tmp_path: Path, why: str
) -> None:
    with node(tmp_path, budget=0.2 if why == "late" else 60) as made:
        made.kafka.hang()
        stop_draining(made)
        assert made.publisher.publish([record(TOPIC, "k/1")], Haste(spool=True)).result(WAIT)
        behind = made.publish("behind")
        if why == "away":
            made.kafka.available = False
            made.publish("notices", key="k/2")
        if why == "closed":
            made.publisher.close()
        assert behind.result(WAIT)[0].outcome is Outcome.SPOOLED


def test_what_waits_for_a_topic_is_answered_at_once(tmp_path: Path) -> None:
    with node(tmp_path, budget=60) as made:
        made.kafka.missing = {OTHER}
        assert made.outcomes("a", topic=OTHER) == ["spooled"]
        assert made.outcomes("b", topic=OTHER) == ["spooled"]


def test_a_backlog_is_drained_without_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with node(tmp_path, always_spool=True) as made:
        made.kafka.hang()
        go_on = stop_draining(made)
        assert made.outcomes(*(f"n{n}" for n in range(2_000)))
        made.kafka.heal()
        monkeypatch.setattr(drainer, "_TICK_SECONDS", 5)
        go_on()
        began = time.monotonic()
        assert made.drained()
        assert time.monotonic() - began < 9, "a rest between any two windows takes longer"
        assert numbered(made.kafka.values, "n") == list(range(2_000))


def test_a_group_whose_records_go_both_ways_is_answered_once_all_are_safe(away: Node) -> None:
    go_on = stop_draining(away)
    assert away.outcomes("late", key="k/1") == ["spooled"]
    away.kafka.acknowledge(1)
    group = [record(TOPIC, key, key.encode()) for key in ("k/1", "k/2", "k/1")]
    taken = away.publisher.publish(group)
    assert eventually(lambda: away.publisher.healthy().spooled >= 3)
    go_on()
    away.kafka.heal()
    outcomes = [placement.outcome for placement in taken.result(WAIT)]
    assert (outcomes[0], outcomes[2]) == (Outcome.SPOOLED, Outcome.SPOOLED)
    assert away.drained()
    assert sorted(away.kafka.values) == [b"first", b"k/1", b"k/1", b"k/2", b"late"]


def test_a_group_that_is_partly_refused_is_refused_and_the_rest_of_it_is_not_lost(tmp_path: Path) -> None:
    """Its sender is told, and may send it again: what was safe by then comes as a copy, never not at all."""
    with node(tmp_path, budget=3_600) as made:
        made.kafka.refusing[b"large"] = TooLarge("too large")
        made.kafka.hang()
        taken = made.publisher.publish([record(TOPIC, "k/1", b"good"), record(TOPIC, "k/2", b"large")])
        made.kafka.heal()
        with pytest.raises(TooLarge) as refused:
            taken.result(WAIT)
        assert refused.value.outcomes == (Outcome.PUBLISHED, Outcome.REJECTED)
        assert made.kafka.values == [b"good"]


def test_while_kafka_is_away_only_a_few_rows_are_tried(tmp_path: Path) -> None:
    with node(tmp_path, connected=False) as made:
        for n in range(200):
            made.publish(f"n{n}")
        assert eventually(lambda: made.publisher.healthy().spooled == 200)
        made.kafka.hang()
        made.kafka.available = True
        assert eventually(lambda: len(made.kafka.held) > 0)
        assert len(made.kafka.held) <= 20
        made.kafka.heal()
        assert made.drained()
        assert numbered(made.kafka.values, "n") == list(range(200))


def test_the_order_of_a_key_holds_through_many_outages(direct: Node) -> None:
    futures = []
    for n in range(300):
        futures.append(direct.publish(f"n{n}", key=f"k/{n % 3}"))
        if n % 50 == 20:
            direct.kafka.hang()
        if n % 50 == 35:
            direct.kafka.fail()
        if n % 50 == 45:
            direct.kafka.heal()
    direct.kafka.heal()
    assert all(future.result(WAIT) for future in futures)
    assert direct.drained()
    for key in range(3):
        found = [n for n in numbered(direct.kafka.values, "n") if n % 3 == key]
        assert found == list(range(key, 300, 3))


def test_kafka_that_went_away_while_nothing_was_sent_is_noticed_and_so_is_its_return(direct: Node) -> None:
    direct.kafka.available = False
    assert eventually(lambda: "spool" in direct.status())
    direct.kafka.available = True
    assert eventually(lambda: direct.status() == "Kafka")


# -- topics -------------------------------------------------------------------------------------------------


def test_a_missing_topic_spools_its_own_events_and_no_others(direct: Node) -> None:
    direct.kafka.missing = {OTHER}
    assert direct.outcomes("a", topic=OTHER) == ["spooled"]
    assert direct.outcomes("b", key="k/2") == ["published"]
    direct.kafka.missing = set()
    assert direct.drained()
    assert direct.kafka.values == [b"b", b"a"]


def test_a_topic_that_vanishes_under_way_does_not_stop_the_others(tmp_path: Path) -> None:
    with node(tmp_path, budget=30) as made:
        made.kafka.hang()
        lost = made.publish("a", topic=OTHER)
        fine = made.publish("b", key="k/2")
        made.kafka.missing = {OTHER}
        made.kafka.fail(1)
        assert lost.result(WAIT)[0].outcome is Outcome.SPOOLED
        made.kafka.heal()
        assert fine.result(WAIT)[0].outcome is Outcome.PUBLISHED


# -- refused after it was acknowledged ----------------------------------------------------------------------


def dead_letter(refused: Record, error: Refusal) -> Record:
    return record("events.deadletter", "deadletter/1", b"dead " + refused.value)


@pytest.mark.parametrize(
    ("step_aside", "found", "parked"),
    [(dead_letter, [b"c", b"dead b"], []), (lambda record, error: None, [b"c"], [b"b"])],
)
def test_a_spooled_record_that_kafka_refuses_steps_aside(
    tmp_path: Path, step_aside: Callable[..., Any], found: list[bytes], parked: list[bytes]
) -> None:
    with node(tmp_path, connected=False, step_aside=step_aside) as made:
        made.kafka.refusing[b"b"] = TooLarge("too large")
        assert made.outcomes("b", "c") == ["spooled", "spooled"]
        made.kafka.heal()
        assert made.drained()
        assert sorted(made.kafka.values) == found
    assert [row.record.value for row in spool_file.read_back(tmp_path) if row.parked] == parked


def test_a_dead_letter_that_is_refused_too_is_parked(tmp_path: Path) -> None:
    with node(tmp_path, connected=False, step_aside=dead_letter) as made:
        made.kafka.refusing |= {b"b": TooLarge("too large"), b"dead b": TooLarge("too large")}
        assert made.outcomes("b") == ["spooled"]
        made.kafka.heal()
        assert made.drained()
    (row,) = spool_file.read_back(tmp_path)
    assert (row.record.value, row.parked) == (b"dead b", "too-large")


# -- the disk -----------------------------------------------------------------------------------------------


def test_with_kafka_away_and_the_spool_full_it_is_unavailable_and_says_so(tmp_path: Path) -> None:
    with node(tmp_path, connected=False, max_bytes=3_000) as made:
        assert made.outcomes("x" * 2_000) == ["spooled"]
        assert isinstance(made.publish("y" * 2_000).exception(WAIT), Unavailable)
        health = made.publisher.healthy()
        assert not health.ready
        assert health.status == "Kafka is away; the spool is full"
        made.kafka.heal()
        assert made.drained()
        assert made.outcomes("z" * 2_000) == ["published"]


def test_a_full_spool_does_not_stop_what_goes_direct(tmp_path: Path) -> None:
    with node(tmp_path, max_bytes=3_000) as made:
        made.kafka.missing = {OTHER}
        assert made.outcomes("x" * 2_500, topic=OTHER, key="k/0") == ["spooled"]
        assert isinstance(made.publish("x" * 2_500, topic=OTHER, key="k/0").exception(WAIT), Unavailable)
        assert made.outcomes("y") == ["published"]


def test_a_disk_that_cannot_be_used_leaves_kafka_alone_to_take_events(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    kafka = FakeKafka()
    with node(tmp_path / "data", kafka, connected=False) as made:
        assert isinstance(made.publish("a").exception(WAIT), Unavailable)
        assert not made.publisher.healthy().ready
        kafka.available = True
        assert eventually(lambda: made.publisher.healthy().ready)
        assert made.outcomes("b") == ["published"]
        (tmp_path / "data").unlink()
        kafka.hang()
        assert eventually(lambda: made.publish("c").exception(WAIT) is None)


# -- processes ----------------------------------------------------------------------------------------------


def test_what_is_spooled_at_the_end_is_sent_after_the_next_start(tmp_path: Path) -> None:
    with node(tmp_path, connected=False) as made:
        assert made.outcomes("a", "b") == ["spooled", "spooled"]
    assert [row.record.value for row in spool_file.read_back(tmp_path)] == [b"a", b"b"]
    with node(tmp_path, connected=False) as made:
        assert made.outcomes("c") == ["spooled"]
        made.kafka.heal()
        assert made.drained()
        assert made.kafka.values == [b"a", b"b", b"c"]
    assert spool_file.read_back(tmp_path) == []


def test_a_request_that_waits_for_kafka_at_the_end_is_spooled_before_it_is_over(tmp_path: Path) -> None:
    with node(tmp_path, budget=30) as made:
        made.kafka.hang()
        waiting = made.publish("a")
        made.publisher.close()
        assert waiting.result(WAIT)[0].outcome is Outcome.SPOOLED
    assert [row.record.value for row in spool_file.read_back(tmp_path)] == [b"a"]


def test_what_another_process_left_is_adopted_and_sent_first(tmp_path: Path) -> None:
    left = spool_file.SpoolFile(tmp_path / spool_file.file_name(7))
    with left.transaction():
        left.append([record(TOPIC, "k/1", b"old")])
    left.close()
    with node(tmp_path, connected=False) as made:
        assert made.outcomes("new") == ["spooled"]
        assert eventually(lambda: made.publisher.healthy().spooled == 2)
        made.kafka.heal()
        assert made.drained()
        assert made.kafka.values == [b"old", b"new"]


# -- ack=spool ----------------------------------------------------------------------------------------------


def test_always_by_the_spool_answers_from_the_disk_and_publishes_in_order(tmp_path: Path) -> None:
    with node(tmp_path, always_spool=True) as made:
        assert [made.outcomes(f"n{n}") for n in range(20)] == [["spooled"]] * 20
        assert made.drained()
        assert numbered(made.kafka.values, "n") == list(range(20))


# -- ack=broker ---------------------------------------------------------------------------------------------


def test_without_a_spool_a_late_acknowledgement_is_unavailable() -> None:
    kafka = FakeKafka()
    publisher = BrokerAck(kafka, budget=0.05, max_in_flight_bytes=10**6)
    publisher.start()
    kafka.hang()
    assert isinstance(publisher.publish([record(TOPIC)]).exception(WAIT), Unavailable)
    kafka.available = False
    assert isinstance(publisher.publish([record(TOPIC)]).exception(WAIT), Unavailable)
    kafka.heal()
    assert publisher.publish([record(TOPIC)]).result(WAIT)
    kafka.missing = {OTHER}
    assert isinstance(publisher.publish([record(OTHER)]).exception(WAIT), Unavailable)
    publisher.close()
