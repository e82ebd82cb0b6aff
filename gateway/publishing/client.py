"""What a Kafka client library is wrapped as: it takes records and tells the end of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.model import Health, Placement, Record

# What keeps its order: one key in one topic.
Lane = tuple[str, bytes]
# How a record ended: where it lies; or a Refusal, when Kafka will never take it; or a Failure, which means
# unknown: it may have been written.
End = Placement | GatewayError
# Called with the indexes of records and their ends, many at a time, once a record: from a thread of the
# client or, for what cannot be sent at all, before ``send`` returns.
Ended = Callable[[Sequence[tuple[int, End]]], None]


class Client(Protocol):
    """One connection to Kafka. It waits as long as Kafka needs: who is in a hurry waits beside it."""

    def start(self) -> None:
        """Connect in the background, in the process that will send."""

    @property
    def available(self) -> bool:
        """Whether the brokers answered when last asked."""

    def takes(self, topic: str) -> bool:
        """Whether the brokers answered and have that topic for us."""

    def send(self, records: Sequence[Record], ended: Ended) -> None:
        """Take records, whose order within a lane stays as given. Must not block.

        Where one ends with a Failure, those behind it in its lane, given before that was told, do too: it is
        going to be sent again, and belongs before them.
        """

    def healthy(self) -> Health:
        """Say whether Kafka takes records, from what is already known."""

    def close(self, seconds: float) -> None:
        """Wait that long for records under way, then end the rest with a Failure. Idempotent."""
