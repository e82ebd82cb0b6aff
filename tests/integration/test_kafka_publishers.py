"""The publishers over Kafka, on a real Apache Kafka, under the contract of all publishers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from broker import Broker
from confluent_kafka import Producer

from gateway import app, settings
from gateway.model import Publisher
from gateway.publishing import kafka_topics
from gateway.settings import Settings
from tests.integration.consuming import consume
from tests.publisher_contract import Made, PublisherContract, Stored, eventually
from tests.samples import record

pytestmark = pytest.mark.kafka

_numbers = count()


@pytest.fixture
def chosen(kafka: Broker, tmp_path: Path) -> Settings:
    return _settings(kafka, tmp_path)


def _settings(kafka: Broker, folder: Path, ack: str = "auto") -> Settings:
    return settings.load(
        {
            "GATEWAY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "GATEWAY_TOPIC_PARTITIONS": "3",
            "GATEWAY_ACK": ack,
            "GATEWAY_ACK_BUDGET_MS": "800",
            "GATEWAY_DATA_DIR": str(folder),
        }
    )


class OverKafka(PublisherContract):
    """The contract, once Kafka is reached."""

    ack: ClassVar[str]

    @pytest.fixture
    def made(self, kafka: Broker, tmp_path: Path) -> Iterator[Made]:
        number = next(_numbers)
        topics = (f"contract.{number}.one", f"contract.{number}.two")
        chosen = _settings(kafka, tmp_path, self.ack)
        kafka_topics.create(chosen, topics)
        publisher = app.build_publisher(chosen, topics)
        yield Made(publisher, topics, lambda: _in_kafka(kafka, topics))
        publisher.close()

    @pytest.fixture
    def started(self, made: Made) -> Iterator[Made]:
        made.publisher.start()
        assert connected(made.publisher)
        yield made
        made.publisher.close()


class TestBrokerAck(OverKafka):
    ack = "broker"


class TestSpooling(OverKafka):
    ack = "auto"


def connected(publisher: Publisher) -> bool:
    return eventually(lambda: publisher.healthy().status == "Kafka")


def _in_kafka(kafka: Broker, topics: tuple[str, ...]) -> list[Stored]:
    return [
        Stored(read.topic, read.partition, read.offset, read.key, read.value, tuple(read.headers.items()))
        for read in consume(kafka.bootstrap, topics)
    ]


def test_creating_topics_twice_leaves_them_as_they_are(chosen: Settings) -> None:
    topics = ("again.one", "again.two")
    kafka_topics.create(chosen, topics)
    kafka_topics.create(chosen, topics)
    assert set(topics) <= kafka_topics.existing(chosen)


def test_a_key_has_the_partition_that_other_clients_give_it(kafka: Broker, chosen: Settings) -> None:
    """Java's murmur2: a second driver, or a producer in another language, keeps a key's order."""
    topic, keys = "partitions", [f"incident/größe-{number}".encode() for number in range(50)]
    kafka_topics.create(chosen, [topic])
    publisher = app.build_publisher(chosen, [topic])
    publisher.start()
    assert connected(publisher)
    publisher.publish([record(topic, key.decode()) for key in keys]).result(30)
    publisher.close()
    other = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    for key in keys:
        other.produce(topic, b"{}", key)
    assert other.flush(30) == 0
    found = {(read.key, read.partition) for read in consume(kafka.bootstrap, [topic])}
    assert len(found) == len(keys)
    assert len({partition for _, partition in found}) == 3
