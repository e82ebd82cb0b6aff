"""A producer that is stuck is replaced, and what it held is sent again: on a real Apache Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from broker import Broker
from confluent_kafka import KafkaError, KafkaException, Producer
from kafka import KafkaProducer

from gateway import settings
from gateway.model import Outcome
from gateway.publishing import kafka_clients, kafka_connection, kafka_topics, librdkafka_clients
from gateway.publishing.kafka_python import KafkaPython
from gateway.publishing.librdkafka import Librdkafka
from gateway.publishing.librdkafka_clients import Producers
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from gateway.publishing.supervision import Supervision
from tests.integration.consuming import consume
from tests.integration.senders import CLIENTS, hung
from tests.publisher_contract import WAIT, eventually
from tests.samples import record

pytestmark = pytest.mark.kafka

_numbers = count()
_LOOK_SECONDS = 0.25
PATIENCE = 1.0


@pytest.fixture(autouse=True)
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at every few seconds in life."""
    monkeypatch.setattr(kafka_connection, "_PROBE_SECONDS", _LOOK_SECONDS)


@dataclass
class Rig:
    """A publisher with a spool, whose producers a test can get hold of."""

    topic: str
    client: KafkaPython | Librdkafka
    publisher: Spooling
    rebuilds: list[str] = field(default_factory=list)

    @property
    def producer(self) -> Any:
        producer = self.client._connection.producer
        assert producer is not None
        return producer

    def publish(self, value: str) -> Outcome:
        sent = record(self.topic, "k/1", value.encode())
        return self.publisher.publish([sent]).result(WAIT)[0].outcome

    def deliver(self, value: str) -> None:
        """Publish something that Kafka gets, on a slow machine after the budget."""
        self.publish(value)
        assert eventually(lambda: self.publisher.healthy().spooled == 0)

    def connected(self) -> bool:
        return eventually(lambda: self.publisher.healthy().status == "Kafka")


@contextmanager
def rigged(kafka: Broker, folder: Path, kind: type[KafkaPython | Librdkafka]) -> Iterator[Rig]:
    chosen = settings.load({"GATEWAY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap})
    topic = f"supervised.{next(_numbers)}"
    kafka_topics.create(chosen, [topic])
    rebuilds: list[str] = []
    client = kind(
        chosen, [topic], rebuilt=lambda: rebuilds.append("rebuilt"), supervision=Supervision(PATIENCE)
    )
    publisher = Spooling(
        client, Spool(folder), budget=0.5, disk_timeout=10, max_bytes=10**7, max_in_flight_bytes=10**7
    )
    publisher.start()
    made = Rig(topic, client, publisher, rebuilds)
    try:
        assert made.connected()
        yield made
    finally:
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

    producer._accumulator.append = send


class Broken:
    """A librdkafka producer that takes nothing, or takes records and never sends them."""

    def __init__(self, producer: Producer, error: int | None = None) -> None:
        self._producer = producer
        self._error = error

    def produce(self, *_: Any, **__: Any) -> None:
        if self._error is not None:
            raise KafkaException(KafkaError(self._error))

    def __len__(self) -> int:
        return len(self._producer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)


def swallow(producers: Producers) -> None:
    """It takes records, and nothing happens."""
    producers.together = cast(Producer, Broken(producers.together))


def meet_fatal_error(producers: Producers) -> None:
    """An idempotent producer that lost its place fails every send, for ever."""
    producers.together = cast(Producer, Broken(producers.together, KafkaError._FATAL))


FAULTS = [
    (KafkaPython, spin),
    (KafkaPython, die),
    (KafkaPython, fail),
    (Librdkafka, swallow),
    (Librdkafka, meet_fatal_error),
]


@pytest.mark.parametrize(("kind", "break_it"), FAULTS)
def test_a_stuck_producer_is_replaced_and_every_event_comes_once(
    kafka: Broker, tmp_path: Path, kind: type[KafkaPython | Librdkafka], break_it: Callable[[Any], None]
) -> None:
    with rigged(kafka, tmp_path, kind) as rig:
        rig.deliver("before")
        broken = rig.producer
        break_it(broken)
        assert rig.publish("meanwhile") is Outcome.SPOOLED
        assert eventually(lambda: bool(rig.rebuilds))
        assert eventually(lambda: rig.publisher.healthy().spooled == 0)
        assert rig.connected()
        assert rig.producer is not broken
        rig.deliver("after")
        found = [read.value for read in consume(kafka.bootstrap, [rig.topic])]
    assert found == [b"before", b"meanwhile", b"after"]


@pytest.mark.parametrize("kind", [KafkaPython, Librdkafka])
def test_a_producer_that_works_is_left_alone(
    kafka: Broker, tmp_path: Path, kind: type[KafkaPython | Librdkafka]
) -> None:
    with rigged(kafka, tmp_path, kind) as rig:
        first = rig.producer
        rig.deliver("a")
        time.sleep(PATIENCE + 2 * _LOOK_SECONDS)
        rig.deliver("b")
        assert rig.producer is first
        assert rig.rebuilds == []


EXPIRY = [
    (KafkaPython, kafka_clients, {"request_timeout_ms": 1_000, "delivery_timeout_ms": 1_500}),
    (Librdkafka, librdkafka_clients, {"request.timeout.ms": 1_000, "message.timeout.ms": 1_500}),
]


@pytest.mark.parametrize(("kind", "module", "times"), EXPIRY, ids=CLIENTS)
def test_what_a_client_gives_up_in_the_end_is_sent_again_in_its_order(
    kafka: Broker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[KafkaPython | Librdkafka],
    module: ModuleType,
    times: dict[str, int],
) -> None:
    """Which is a day in life. The brokers may have written it all the same: a copy, and no loss."""
    usual = module.options_of_producer
    monkeypatch.setattr(module, "options_of_producer", lambda chosen: usual(chosen) | times)
    with rigged(kafka, tmp_path, kind) as rig:
        rig.deliver("before")
        with hung(kafka):
            assert [rig.publish(f"late {n}") for n in range(3)] == [Outcome.SPOOLED] * 3
            assert eventually(lambda: not rig.client._sendings)
        assert eventually(lambda: rig.publisher.healthy().spooled == 0)
        rig.deliver("after")
        found = [read.value for read in consume(kafka.bootstrap, [rig.topic])]
    assert list(dict.fromkeys(found)) == [b"before", b"late 0", b"late 1", b"late 2", b"after"]
