"""A producer that is stuck is replaced, and what it held is sent again: on a real Apache Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from kafka import KafkaProducer

from gateway import settings
from gateway.model import Outcome
from gateway.publishing import kafka_topics
from gateway.publishing.kafka_python import KafkaPython
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from gateway.publishing.supervision import Supervision
from tests.integration.consuming import consume
from tests.publisher_contract import WAIT, eventually
from tests.samples import record

pytestmark = pytest.mark.kafka

_numbers = count()


@dataclass
class Rig:
    """A publisher with a spool, whose producers a test can get hold of."""

    topic: str
    client: KafkaPython
    publisher: Spooling
    rebuilds: list[str] = field(default_factory=list)

    @property
    def producer(self) -> KafkaProducer:
        producer = self.client._connection.producer
        assert producer is not None
        return producer

    def publish(self, value: str) -> Outcome:
        sent = record(self.topic, "k/1", value.encode())
        return self.publisher.publish([sent]).result(WAIT)[0].outcome

    def connected(self) -> bool:
        return eventually(lambda: self.publisher.healthy().status == "Kafka")


@pytest.fixture
def rig(kafka: Broker, tmp_path: Path) -> Iterator[Rig]:
    chosen = settings.load({"GATEWAY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap})
    topic = f"supervised.{next(_numbers)}"
    kafka_topics.create(chosen, [topic])
    rebuilds: list[str] = []
    client = KafkaPython(
        chosen, [topic], rebuilt=lambda: rebuilds.append("rebuilt"), supervision=Supervision(patience=1.0)
    )
    publisher = Spooling(
        client, Spool(tmp_path), budget=0.5, disk_timeout=10, max_bytes=10**7, max_in_flight_bytes=10**7
    )
    publisher.start()
    made = Rig(topic, client, publisher, rebuilds)
    assert made.connected()
    yield made
    publisher.close()


def spin(producer: KafkaProducer) -> None:
    """Its thread runs on and does nothing (reference/reliability.md, T3)."""
    producer._sender.run_once = lambda: time.sleep(0.01)


def die(producer: KafkaProducer) -> None:
    """Its thread ends."""
    producer._sender.force_close()
    producer._sender.join(10)


def fail(producer: KafkaProducer) -> None:
    """Every send fails at once (T2)."""

    def send(*_: Any, **__: Any) -> None:
        raise RuntimeError("fatal")

    producer.send = send


@pytest.mark.parametrize("break_it", [spin, die, fail])
def test_a_stuck_producer_is_replaced_and_every_event_comes_once(
    kafka: Broker, rig: Rig, break_it: Callable[[KafkaProducer], None]
) -> None:
    assert rig.publish("before") is Outcome.PUBLISHED
    broken = rig.producer
    break_it(broken)
    assert rig.publish("meanwhile") is Outcome.SPOOLED
    assert eventually(lambda: bool(rig.rebuilds))
    assert eventually(lambda: rig.publisher.healthy().spooled == 0)
    assert rig.connected()
    assert rig.producer is not broken
    assert rig.publish("after") is Outcome.PUBLISHED
    assert [read.value for read in consume(kafka.bootstrap, [rig.topic])] == [
        b"before",
        b"meanwhile",
        b"after",
    ]


def test_a_producer_that_works_is_left_alone(rig: Rig) -> None:
    first = rig.producer
    assert rig.publish("a") is Outcome.PUBLISHED
    time.sleep(5)  # longer than two looks of the supervisor
    assert rig.publish("b") is Outcome.PUBLISHED
    assert rig.producer is first
    assert rig.rebuilds == []
