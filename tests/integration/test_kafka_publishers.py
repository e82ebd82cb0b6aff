"""The publishers over Kafka, on a real Apache Kafka, under the contract of all publishers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from broker import Broker
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from gateway import publishers, settings
from gateway.errors import TooLarge
from gateway.model import Publisher
from gateway.publishing import kafka_topics
from gateway.settings import Settings
from tests.integration.consuming import consume
from tests.integration.senders import CLIENTS
from tests.publisher_contract import Made, PublisherContract, Stored, eventually
from tests.samples import record

pytestmark = pytest.mark.kafka

_numbers = count()


@pytest.fixture
def chosen(kafka: Broker, tmp_path: Path) -> Settings:
    return _settings(kafka, tmp_path)


def _settings(kafka: Broker, folder: Path, ack: str = "auto", client: str = "kafka-python") -> Settings:
    return settings.load(
        {
            "GATEWAY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "GATEWAY_TOPIC_PARTITIONS": "3",
            "GATEWAY_ACK": ack,
            "GATEWAY_KAFKA_CLIENT": client,
            "GATEWAY_ACK_BUDGET_MS": "800",
            "GATEWAY_DATA_DIR": str(folder),
        }
    )


class OverKafka(PublisherContract):
    """The contract, once Kafka is reached."""

    ack: ClassVar[str]
    client: ClassVar[str] = "kafka-python"

    @pytest.fixture
    def made(self, kafka: Broker, tmp_path: Path) -> Iterator[Made]:
        number = next(_numbers)
        topics = (f"contract.{number}.one", f"contract.{number}.two")
        chosen = _settings(kafka, tmp_path, self.ack, self.client)
        kafka_topics.create(chosen, topics)
        publisher = publishers.build(chosen, topics)
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


class TestBrokerAckOverLibrdkafka(OverKafka):
    ack, client = "broker", "librdkafka"


class TestSpoolingOverLibrdkafka(OverKafka):
    ack, client = "auto", "librdkafka"


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


# Where the Java client puts a key among three partitions: murmur2, the sign bit cleared, modulo three.
PARTITIONS = {
    "incident/größe-0": 1,
    "incident/größe-1": 1,
    "incident/größe-2": 2,
    "incident/größe-3": 1,
    "incident/größe-4": 1,
    "incident/größe-5": 1,
    "incident/größe-6": 1,
    "incident/größe-7": 0,
    "a/1": 0,
    "deployment/shop": 1,
    "x": 1,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_key_has_the_partition_that_the_java_client_gives_it(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    """A change of the client, or a producer in another language, keeps a key's order."""
    chosen, topic = _settings(kafka, tmp_path, client=client), f"partitions.{client}"
    kafka_topics.create(chosen, [topic])
    publisher = publishers.build(chosen, [topic])
    publisher.start()
    assert connected(publisher)
    publisher.publish([record(topic, key) for key in PARTITIONS]).result(30)
    publisher.close()
    found = {read.key.decode(): read.partition for read in consume(kafka.bootstrap, [topic])}
    assert found == PARTITIONS


@pytest.mark.parametrize("client", CLIENTS)
def test_one_record_too_large_refuses_no_other_of_its_batch(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    """The broker refuses the whole batch: the client has to find the culprit, and keep the order."""
    chosen, topic = _settings(kafka, tmp_path, client=client), f"narrow.{client}"
    create_narrow(kafka, topic, 5_000)
    publisher = publishers.build(chosen, [topic])
    publisher.start()
    assert connected(publisher)
    ends = [
        publisher.publish([record(topic, "k", b"%d" % n * (6_000 if n == 20 else 500))]) for n in range(60)
    ]
    errors = [number for number, end in enumerate(ends) if end.exception(30)]
    publisher.close()
    assert errors == [20]
    assert isinstance(ends[20].exception(), TooLarge)
    wanted = [b"%d" % n * 500 for n in range(60) if n != 20]
    assert [read.value for read in consume(kafka.bootstrap, [topic])] == wanted


def create_narrow(kafka: Broker, topic: str, most: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    new = NewTopic(topic, num_partitions=1, config={"max.message.bytes": str(most)})
    admin.create_topics([new])[topic].result(30)
