"""Topics on Kafka, for the command line: which are missing, creating them, reading them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError

from gateway.errors import Unavailable
from gateway.publishing import kafka_clients
from gateway.settings import Settings

_POLL_MS = 500


@dataclass(frozen=True, slots=True)
class Consumed:
    """A record as read from Kafka; ``timestamp`` in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def existing(settings: Settings) -> frozenset[str]:
    """Give the names of the topics on the brokers. Raises Unavailable."""
    try:
        with KafkaAdminClient(**kafka_clients.connection(settings)) as admin:
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
        with KafkaAdminClient(**kafka_clients.connection(settings)) as admin:
            admin.create_topics(dict.fromkeys(topics, options), wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return  # someone else was faster
    except (KafkaError, OSError) as error:
        raise _unreachable(settings, error) from error


def consume(settings: Settings, pattern: re.Pattern[str], *, from_start: bool) -> Iterator[Consumed | None]:
    """Read the topics whose whole name matches, without a consumer group; None whenever nothing came.

    Ends never. Raises Unavailable when the brokers cannot be reached.
    """
    try:
        consumer = KafkaConsumer(
            **kafka_clients.connection(settings), enable_auto_commit=False, group_id=None
        )
        try:
            topics = [topic for topic in sorted(consumer.topics()) if pattern.fullmatch(topic)]
            partitions = [
                TopicPartition(topic, number)
                for topic in topics
                for number in consumer.partitions_for_topic(topic) or ()
            ]
            consumer.assign(partitions)
            if partitions:
                (consumer.seek_to_beginning if from_start else consumer.seek_to_end)(*partitions)
            while True:
                polled = consumer.poll(timeout_ms=_POLL_MS) if partitions else {}
                yield from (
                    Consumed(
                        r.topic,
                        r.partition,
                        r.offset,
                        r.timestamp,
                        r.key or b"",
                        r.value or b"",
                        tuple(r.headers),
                    )
                    for records in polled.values()
                    for r in records
                )
                if not polled:
                    yield None
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise _unreachable(settings, error) from error


def _unreachable(settings: Settings, error: Exception) -> Unavailable:
    reached = kafka_clients.why_unreachable(settings)
    return Unavailable(f"Kafka: {type(error).__name__}: {error} ({reached})")
