"""Topics on Kafka, for the command line: which are missing, creating them, reading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError

from gateway.errors import Unavailable
from gateway.model import StoredRecord
from gateway.publishing import kafka_clients, kafka_reach
from gateway.settings import Settings

_POLL_MS = 500


def existing(settings: Settings) -> frozenset[str]:
    """Give the names of the topics on the brokers. Raises Unavailable."""
    try:
        with kafka_clients.build(KafkaAdminClient, kafka_clients.connection(settings)) as admin:
            return frozenset(admin.list_topics())
    except (KafkaError, OSError) as error:
        raise _unreachable(settings, error) from error


def create(settings: Settings, topics: Sequence[str]) -> None:
    """Create topics and wait until each has leaders. Raises Unavailable with the broker's reason."""
    options = {
        "num_partitions": settings.topic_partitions,
        "replication_factor": settings.topic_replication,
    }
    try:
        with kafka_clients.build(KafkaAdminClient, kafka_clients.connection(settings)) as admin:
            admin.create_topics(dict.fromkeys(topics, options), wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return  # someone else was faster
    except (KafkaError, OSError) as error:
        raise _unreachable(settings, error) from error


def consume(settings: Settings, pattern: str, *, from_start: bool) -> Iterator[StoredRecord | None]:
    """Read the topics that match the shell pattern, without a consumer group, and never end.

    Gives None whenever all is read that was there at the start. Raises Unavailable when the brokers cannot
    be reached or no topic matches.
    """
    options = kafka_clients.connection(settings) | {"enable_auto_commit": False, "group_id": None}
    try:
        with closing(kafka_clients.build(KafkaConsumer, options)) as consumer:
            partitions = _assign(consumer, pattern, from_start)
            ends = consumer.end_offsets(partitions)
            while True:
                for records in consumer.poll(timeout_ms=_POLL_MS).values():
                    yield from map(_stored, records)
                if all(consumer.position(partition) >= end for partition, end in ends.items()):
                    yield None
    except (KafkaError, OSError) as error:
        raise _unreachable(settings, error) from error


def _assign(consumer: KafkaConsumer, pattern: str, from_start: bool) -> list[TopicPartition]:
    topics = [topic for topic in sorted(consumer.topics()) if fnmatchcase(topic, pattern)]
    partitions = [
        TopicPartition(topic, number)
        for topic in topics
        for number in consumer.partitions_for_topic(topic) or ()
    ]
    if not partitions:
        raise Unavailable(f"no topic on Kafka matches {pattern}")
    consumer.assign(partitions)
    (consumer.seek_to_beginning if from_start else consumer.seek_to_end)(*partitions)
    return partitions


def _stored(read: Any) -> StoredRecord:
    return StoredRecord(
        topic=read.topic,
        partition=read.partition,
        offset=read.offset,
        timestamp=read.timestamp,
        key=read.key or b"",
        value=read.value or b"",
        headers=tuple(read.headers),
    )


def _unreachable(settings: Settings, error: Exception) -> Unavailable:
    reached = kafka_reach.why_unreachable(settings)
    return Unavailable(f"Kafka: {type(error).__name__}: {error} ({reached})")
