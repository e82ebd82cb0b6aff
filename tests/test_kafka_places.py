"""Which partition a key goes to. An integration test holds the brokers to the same table."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from gateway.publishing import kafka_places
from gateway.publishing.kafka_places import Places


class Metadata:
    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.partitions)) or None


def places(metadata: Metadata) -> Places:
    return Places(SimpleNamespace(_metadata=metadata))


def test_a_key_has_the_java_clients_partition_the_second_time_too() -> None:
    found = places(Metadata(3))
    for _ in range(2):
        assert found.of("t", b"a/1") == TopicPartition("t", 0)
        assert found.of("t", b"incident/1") == found.of("t", b"incident/1")


def test_a_topic_that_is_not_known_has_no_place_until_it_is() -> None:
    metadata = Metadata(0)
    found = places(metadata)
    assert found.of("t", b"k") is None
    metadata.partitions = 1
    assert found.of("t", b"k") == TopicPartition("t", 0)


def test_partitions_that_are_added_are_used_after_the_next_look() -> None:
    metadata = Metadata(1)
    found = places(metadata)
    keys = [b"k/%d" % number for number in range(50)]
    assert {found.of("t", key) for key in keys} == {TopicPartition("t", 0)}
    metadata.partitions = 4
    found.look()
    assert {found.of("t", key) for key in keys} == {TopicPartition("t", number) for number in range(4)}


def test_no_more_keys_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_places, "_MOST_KEYS", 10)
    found = places(Metadata(3))
    for number in range(100):
        found.of("t", b"k/%d" % number)
    assert len(found._known["t"][1]) <= 10
