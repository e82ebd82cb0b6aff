"""A Kafka client whose brokers do what a test says: the fake beside the real one, under the same contract.

``acknowledging``: every record is acknowledged at once, from another thread, as Kafka's client does; switched
off, records wait until ``acknowledge`` or ``fail`` is called, like those of a hung broker.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from gateway.errors import GatewayError, Unavailable
from gateway.model import Health, Outcome, Placement, Record
from gateway.publishing.client import Ended


class FakeKafka:
    def __init__(self) -> None:
        self.available = False
        self.acknowledging = True
        self.missing: set[str] = set()
        self.refusing: dict[bytes, GatewayError] = {}  # by value
        self.written: list[Record] = []
        self.held: list[tuple[Record, int, Ended]] = []
        self._offsets: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._closed = False

    def start(self) -> None:
        self.available = True

    def takes(self, topic: str) -> bool:
        return self.available and topic not in self.missing

    def send(self, records: Sequence[Record], ended: Ended) -> None:
        with self._lock:
            self.held += [(record, index, ended) for index, record in enumerate(records)]
        if self.acknowledging or self._closed:
            threading.Thread(target=self.acknowledge).start()

    def acknowledge(self, most: int | None = None) -> None:
        """Let the brokers have what is held, the oldest first."""
        with self._one_at_a_time:
            for record, index, ended in self._take(most):
                refusal = self.refusing.get(record.value)
                ended([(index, refusal or self._write(record))])

    def fail(self, most: int | None = None) -> None:
        """End what is held as unknown, the oldest first; the brokers have none of it."""
        with self._one_at_a_time:
            for _, index, ended in self._take(most):
                ended([(index, Unavailable("failed"))])

    def fail_newest(self) -> None:
        """End what came last as unknown."""
        with self._one_at_a_time:
            with self._lock:
                _, index, ended = self.held.pop()
            ended([(index, Unavailable("failed"))])

    def hang(self) -> None:
        """Acknowledge nothing more."""
        self.acknowledging = False

    def heal(self) -> None:
        """Acknowledge what is held, and everything from now on."""
        self.available = self.acknowledging = True
        self.acknowledge()

    def healthy(self) -> Health:
        return Health(self.available, "Kafka" if self.available else "Kafka is away")

    def close(self, seconds: float) -> None:
        if self.acknowledging:
            self.acknowledge()
        self.fail()
        self.available, self._closed = False, True

    @property
    def values(self) -> list[bytes]:
        """What the brokers have, in their order."""
        return [record.value for record in self.written]

    def _take(self, most: int | None) -> list[tuple[Record, int, Ended]]:
        with self._lock:
            taken, self.held = self.held[:most], self.held[len(self.held[:most]) :]
        return taken

    def _write(self, record: Record) -> Placement:
        with self._lock:
            self.written.append(record)
            offset = self._offsets[record.topic]
            self._offsets[record.topic] += 1
            return Placement(Outcome.PUBLISHED, 0, offset)
