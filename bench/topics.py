"""The proof: what was acknowledged lies on Kafka, every record read and counted by its id."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from broker import Broker
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.bodies import TOPIC
from tests.integration.processes import GATEWAY, environment

PARTITIONS = 4
# A broker that forgets soon what was counted: a run writes many gigabytes.
PROPERTIES = {
    "num.partitions": str(PARTITIONS),
    "log.segment.bytes": str(64 * 1_024 * 1_024),
    "log.segment.delete.delay.ms": "1000",
    "log.retention.check.interval.ms": "5000",
}
# The first id in a record's value is its own; an envelope and an unread body both hold it.
_ID = re.compile(rb"(r[0-9a-f]{3})-\d{8}(?:-\d{5})?")
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Counted:
    """Records of some runs of the load generator: different ids by run, and copies of any."""

    ids: Mapping[str, int]
    copies: int = 0


def create(broker: Broker) -> None:
    """Make every topic that the gateway declares; the variants that are not the gateway use one of them."""
    settings = {"kafka_bootstrap_servers": broker.bootstrap, "topic_partitions": str(PARTITIONS)}
    subprocess.run(
        [GATEWAY, "topics", "--create"],
        env=environment(settings),
        check=True,
        capture_output=True,
        timeout=_SECONDS,
    )


def count_and_forget(broker: Broker) -> Counted:
    """Read the topic from where it was counted last to its end, then delete what was read.

    Raises RuntimeError when Kafka does not give it within two minutes.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": 8_388_608,
        }
    )
    try:
        ends = _assign(consumer)
        seen = _read(consumer, sum(end - begin for begin, end in ends.values()))
    finally:
        consumer.close()
    _forget(broker, {number: end for number, (_, end) in ends.items()})
    runs = Counter(id.partition(b"-")[0].decode() for id in seen)
    return Counted(runs, seen.total() - len(seen))


def lost(acknowledged: int, run: str, counted: Counted, waiting: int) -> int:
    """How many of a run's acknowledged events are neither on Kafka nor among those that a spool still has."""
    return max(0, acknowledged - counted.ids.get(run, 0) - waiting)


def _assign(consumer: Consumer) -> Mapping[int, tuple[int, int]]:
    partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    ends = {p.partition: consumer.get_watermark_offsets(p, timeout=30) for p in partitions}
    consumer.assign([TopicPartition(TOPIC, number, begin) for number, (begin, _) in ends.items()])
    return ends


def _read(consumer: Consumer, wanted: int) -> Counter[bytes]:
    """Give every id with the number of its records."""
    seen: Counter[bytes] = Counter()
    read, deadline = 0, time.monotonic() + _SECONDS
    while read < wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"read {read} of {wanted} records in {_SECONDS} s")
        for message in consumer.consume(10_000, timeout=0.2):
            if message.error():
                raise RuntimeError(str(message.error()))
            read += 1
            if found := _ID.search(message.value() or b""):
                seen[found[0]] += 1
    return seen


def _forget(broker: Broker, ends: Mapping[int, int]) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 3})
    futures = admin.delete_records([TopicPartition(TOPIC, number, end) for number, end in ends.items()])
    for future in futures.values():
        future.result(timeout=30)
