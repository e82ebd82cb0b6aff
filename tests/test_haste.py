"""Senders that wait less than others: their events are answered sooner, and nothing else is different."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.haste import NO_HASTE, Haste, Hastes
from gateway.model import Outcome, Placement
from gateway.promises import Promise
from gateway.publishing.broker_ack import BrokerAck
from gateway.publishing.duplicates import Duplicates
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from tests.fake_kafka import FakeKafka
from tests.memory_publisher import MemoryPublisher
from tests.publisher_contract import WAIT, eventually
from tests.samples import record

TOPIC = "events.incident.detected"
AN_HOUR = 3_600.0
SOON = Haste(budget=0.05)
AT_ONCE = Haste(spool=True)

Placed = Promise[tuple[Placement, ...]]


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
def patient(kafka: FakeKafka, tmp_path: Path) -> Iterator[Spooling]:
    """A publisher that waits for Kafka for an hour, unless somebody is in haste."""
    publisher = Spooling(
        kafka, Spool(tmp_path), budget=AN_HOUR, disk_timeout=60, max_bytes=10**7, max_in_flight_bytes=10**6
    )
    publisher.start()
    kafka.available = True
    assert eventually(lambda: publisher.healthy().status == "Kafka")
    yield publisher
    publisher.close()


def outcomes(placed: Placed) -> list[str]:
    return [placement.outcome.value for placement in placed.result(WAIT)]


def send(publisher: Spooling, *values: str, key: str = "k/1", haste: Haste = NO_HASTE) -> Placed:
    return publisher.publish([record(TOPIC, key, value.encode()) for value in values], haste)


def healed(kafka: FakeKafka, publisher: Spooling) -> Sequence[bytes]:
    """What Kafka has once it acknowledges again."""
    kafka.heal()
    assert eventually(lambda: publisher.healthy().spooled == 0)
    return kafka.values


def test_who_is_in_haste_is_answered_before_one_who_was_there_earlier(
    kafka: FakeKafka, patient: Spooling
) -> None:
    kafka.hang()
    earlier = send(patient, "patient")
    assert outcomes(send(patient, "hasty", key="k/2", haste=SOON)) == ["spooled"]
    assert not earlier.done()
    assert sorted(healed(kafka, patient)) == [b"hasty", b"patient"]
    assert outcomes(earlier) == ["published"]


def test_a_short_budget_that_ends_says_nothing_about_kafka(kafka: FakeKafka, patient: Spooling) -> None:
    kafka.hang()
    send(patient, "hasty", haste=SOON).result(WAIT)
    assert patient.healthy().status == "Kafka"
    later = send(patient, "other", key="k/2")
    assert [held.value for held, _, _ in kafka.held] == [b"hasty", b"other"]
    healed(kafka, patient)
    assert outcomes(later) == ["published"]


def test_what_is_before_it_in_its_lane_is_spooled_before_it(kafka: FakeKafka, patient: Spooling) -> None:
    kafka.hang()
    earlier = send(patient, "1", "2")
    hasty = send(patient, "3", haste=SOON)
    assert outcomes(hasty) == ["spooled"]
    assert outcomes(earlier) == ["spooled", "spooled"]
    assert outcomes(send(patient, "4", haste=SOON)) == ["spooled"]
    kafka.fail()
    assert healed(kafka, patient) == [b"1", b"2", b"3", b"4"]


def test_while_kafka_acknowledges_a_short_budget_changes_nothing(patient: Spooling) -> None:
    assert outcomes(send(patient, "a", "b", haste=Haste(budget=WAIT))) == ["published", "published"]
    assert patient.healthy().spooled == 0


def test_who_cannot_wait_for_kafka_at_all_is_spooled_though_it_acknowledges(
    kafka: FakeKafka, patient: Spooling
) -> None:
    assert outcomes(send(patient, "a", haste=AT_ONCE)) == ["spooled"]
    assert outcomes(send(patient, "b", key="k/2")) == ["published"]
    assert sorted(healed(kafka, patient)) == [b"a", b"b"]


def test_without_a_spool_the_short_budget_ends_in_an_answer_all_the_same(kafka: FakeKafka) -> None:
    publisher = BrokerAck(kafka, budget=AN_HOUR, max_in_flight_bytes=10**6)
    publisher.start()
    kafka.hang()
    earlier = publisher.publish([record(TOPIC, "k/1")])
    assert isinstance(publisher.publish([record(TOPIC, "k/2")], SOON).exception(WAIT), Unavailable)
    assert not earlier.done()
    publisher.close()


def test_what_is_still_open_is_answered_when_the_publisher_closes(kafka: FakeKafka) -> None:
    publisher = BrokerAck(kafka, budget=AN_HOUR, max_in_flight_bytes=10**6)
    publisher.start()
    kafka.hang()
    open_yet = [publisher.publish([record(TOPIC)], Haste(budget=AN_HOUR - n)) for n in range(3)]
    publisher.close()
    assert all(isinstance(placed.exception(WAIT), Unavailable) for placed in open_yet)


def test_what_knows_duplicates_hands_the_haste_on(tmp_path: Path) -> None:
    inner = MemoryPublisher()
    publisher = Duplicates(inner, tmp_path, 60)
    publisher.start()
    (placement,) = publisher.publish([record(TOPIC)], SOON).result(WAIT)
    publisher.close()
    assert placement.outcome is Outcome.PUBLISHED
    assert inner.hastes == [SOON]


@pytest.mark.parametrize(
    ("systems", "haste"),
    [
        ([], NO_HASTE),
        (["jira"], NO_HASTE),
        (["sentry"], Haste(budget=0.3)),
        (["jira", "sentry", "jira"], Haste(budget=0.3)),
        (["sentry", "pagerduty"], Haste(budget=0.2)),
        (["github", "sentry"], Haste(budget=0.3, spool=True)),
        (["github"], Haste(spool=True)),
    ],
    ids=str,
)
def test_a_request_is_in_the_greatest_haste_of_its_events(systems: list[str], haste: Haste) -> None:
    hastes = Hastes(
        {"sentry": Haste(budget=0.3), "pagerduty": Haste(budget=0.2), "github": Haste(spool=True)}
    )
    assert hastes.of(systems) == haste
