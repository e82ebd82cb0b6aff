"""The bound on what a publisher holds in memory: neither kafka-python nor a queue has one of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from gateway.errors import GatewayError, Overloaded, TooLarge
from gateway.model import Problem, Record


class InFlight:
    """Counts the bytes of the records that were taken and are not settled yet."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes."""
        self._limit = limit
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """What is counted in now."""
        return self._bytes

    def reserve(self, records: Iterable[Record]) -> GatewayError | None:
        """Count the records in, all or none; give the reason when there is no room."""
        size = sum([record.size for record in records])
        if size > self._limit:
            message = (
                f"the events of this request have {size} bytes together, at most {self._limit} are taken"
            )
            return TooLarge(message, [Problem("", "size", message)])
        with self._lock:
            if self._bytes + size > self._limit:
                return Overloaded("too much is waiting to be stored")
            self._bytes += size
        return None

    def count(self, record: Record) -> None:
        """Count a record in, whatever the limit."""
        with self._lock:
            self._bytes += record.size

    def release(self, records: Iterable[Record]) -> None:
        """Count records out, once each."""
        size = sum([record.size for record in records])
        with self._lock:
            self._bytes -= size
