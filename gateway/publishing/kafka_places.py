"""Which partition a key goes to: the Java client's choice, kept, since to work it out in Python is slow."""

from __future__ import annotations

from kafka import KafkaProducer, TopicPartition
from kafka.partitioner.default import murmur2

_MOST_KEYS = 20_000  # of a topic


class Places:
    """Of one producer; used under its owner's lock."""

    def __init__(self, producer: KafkaProducer | None) -> None:
        self.producer = producer
        # By topic: its partitions, and what is known of keys. Forgotten when partitions are added.
        self._known: dict[str, tuple[list[TopicPartition], dict[bytes, TopicPartition]]] = {}

    def of(self, topic: str, key: bytes) -> TopicPartition | None:
        """Give the place of a key; None when the producer does not know the topic."""
        try:
            return self._known[topic][1][key]
        except KeyError:
            return self._look_up(topic, key)

    def look(self) -> None:
        """Look whether the partitions are still those; so often that none is written to in vain for long."""
        for topic, (places, _) in list(self._known.items()):
            if places != self._places(topic):
                del self._known[topic]

    def _look_up(self, topic: str, key: bytes) -> TopicPartition | None:
        if topic not in self._known:
            self._known[topic] = self._places(topic), {}
        places, keys = self._known[topic]
        if not places:
            del self._known[topic]
            return None
        if len(keys) >= _MOST_KEYS:
            keys.clear()
        keys[key] = place = places[(murmur2(key) & 0x7FFFFFFF) % len(places)]
        return place

    def _places(self, topic: str) -> list[TopicPartition]:
        numbers = self.producer and self.producer._metadata.partitions_for_topic(topic)
        return [TopicPartition(topic, number) for number in sorted(numbers or ())]
