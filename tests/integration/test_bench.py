"""The bench's short form: real servers, a real Kafka, and the proof. No time is asserted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from broker import Broker
from confluent_kafka import Producer

from bench import topics
from bench.bodies import BATCH, SINGLE, TOPIC
from bench.measure import Bench, measure
from bench.variants import available

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def broker(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of its own, since records are deleted; ``kafka`` has fetched the jars."""
    broker = Broker.on_free_ports(tmp_path_factory.mktemp("bench"), topics.PROPERTIES)
    broker.start()
    try:
        topics.create(broker)
        yield broker
    finally:
        broker.stop()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize("name", ["competent", "flask-kafka-python-bearer", "ceiling-librdkafka"])
def test_what_a_variant_acknowledges_is_found_on_kafka(broker: Broker, name: str) -> None:
    (variant,), _ = available([name])
    samples = list(measure(variant, [SINGLE, BATCH], Bench(broker, seconds=1, warm_seconds=0)))
    assert [(sample.variant, sample.load) for sample in samples] == [(name, "single"), (name, "batch")]
    assert all(not sample.unexpected for sample in samples)
    assert sum(sample.acknowledged for sample in samples) > 0
    assert [sample.lost for sample in samples] == [0, 0]
    assert all(sample.mib > 0 for sample in samples)


def test_what_is_missing_or_doubled_shows_and_is_counted_once(broker: Broker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
    for id in ("r001-00000001", "r001-00000002", "r001-00000002", "r002-00000001-00007"):
        producer.produce(TOPIC, f'{{"id": "{id}"}}'.encode())
    assert producer.flush(60) == 0
    counted = topics.count_and_forget(broker)
    assert (dict(counted.ids), counted.copies) == ({"r001": 2, "r002": 1}, 1)
    assert topics.lost(3, "r001", counted, waiting=0) == 1
    assert topics.lost(3, "r001", counted, waiting=1) == 0
    assert topics.lost(2, "r002", counted, waiting=0) == 1
    assert topics.count_and_forget(broker).ids == {}
