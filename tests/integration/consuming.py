"""An independent consumer: librdkafka, which shares no code with the gateway's client."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Consumer, TopicPartition


@dataclass(frozen=True)
class Consumed:
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


def consume(bootstrap: str, topics: Iterable[str], seconds: float = 60) -> list[Consumed]:
    """Everything that lies in the topics, each partition read to its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
        }
    )
    try:
        known = consumer.list_topics(timeout=30).topics
        partitions = [
            TopicPartition(topic, number, 0) for topic in sorted(topics) for number in known[topic].partitions
        ]
        ends = {(p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=30)[1] for p in partitions}
        wanted = sum(ends.values())
        consumer.assign(partitions)
        found: list[Consumed] = []
        end = time.monotonic() + seconds
        while len(found) < wanted:
            if time.monotonic() > end:
                raise AssertionError(f"read {len(found)} of {wanted} records in {seconds} s")
            for message in consumer.consume(500, timeout=1):
                if message.error():
                    raise AssertionError(str(message.error()))
                found.append(
                    Consumed(
                        str(message.topic()),
                        int(message.partition() or 0),
                        int(message.offset() or 0),
                        bytes(message.key() or b""),
                        bytes(message.value() or b""),
                        dict(cast(list[tuple[str, bytes]], message.headers() or [])),
                    )
                )
        return found
    finally:
        consumer.close()
