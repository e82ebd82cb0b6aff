"""What a client was given to send, one object a call, until the end of each record is told, once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

from gateway.errors import Unavailable
from gateway.model import Record
from gateway.publishing.client import End, Ended

UNKNOWN = "Kafka did not take the event; it may have been written"

Producer = TypeVar("Producer")


class Sending(Generic[Producer]):
    """One call of ``send``; ``number`` tells which came first. ``ends`` are reported and not told yet."""

    __slots__ = ("ended", "ends", "number", "open", "producer", "records", "told")

    def __init__(self, number: int, records: Sequence[Record], ended: Ended, producer: Producer) -> None:
        self.number = number
        self.records = records
        self.ended = ended
        self.producer = producer
        self.ends: list[tuple[int, End]] = []
        self.open = len(records)
        self.told = bytearray(len(records))


class Sendings(Generic[Producer]):
    """Those whose end is not told. Several threads may come with an end; the first counts."""

    def __init__(self) -> None:
        self._outstanding: dict[Sending[Producer], None] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Whether any record waits for its end."""
        return bool(self._outstanding)

    def add(self, records: Sequence[Record], ended: Ended, producer: Producer) -> Sending[Producer]:
        """Begin a sending, behind all others."""
        sending = Sending(next(self._numbers), records, ended, producer)
        self._outstanding[sending] = None
        return sending

    def tell(self, sending: Sending[Producer], ends: Sequence[tuple[int, End]]) -> None:
        """Tell the ends that were not told before."""
        with self._lock:
            if len(ends) == sending.open == len(sending.records):  # all at once, as it mostly is
                sending.open = 0
            else:
                ends = [(index, end) for index, end in ends if sending.open and not sending.told[index]]
                for index, _ in ends:
                    sending.told[index] = 1
                sending.open -= len(ends)
            if not sending.open:
                self._outstanding.pop(sending, None)
        if ends:
            sending.ended(ends)

    def give_up(self, producer: Producer | None = None) -> None:
        """End what waits, or only what a producer was given, as unknown."""
        for sending in list(self._outstanding):
            if producer is None or sending.producer is producer:
                self.tell(sending, [(index, Unavailable(UNKNOWN)) for index in range(len(sending.records))])
