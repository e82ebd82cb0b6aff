"""The local log: the embedded stand-in for Kafka, one file with the same topics, keys and offsets.

A record is durable when its transaction is synced; requests that arrive together share one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.errors import Unavailable
from gateway.haste import NO_HASTE, Haste
from gateway.model import Health, Placement, Record
from gateway.promises import Promise
from gateway.publishing.deadlines import Deadlines
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.in_flight import InFlight
from gateway.publishing.local_log_file import LogFile

_LATE = "the disk did not answer in time; the event may have been written"


class LocalLog:
    """A publisher whose records lie in one file, written by one thread."""

    def __init__(self, folder: Path, *, disk_timeout: float, max_in_flight_bytes: int = 2**26) -> None:
        """``disk_timeout`` in seconds bounds the wait of a request, whatever the disk does."""
        self._file = GroupCommit("local log", lambda: LogFile(folder))
        self._in_flight = InFlight(max_in_flight_bytes)
        self._deadlines = Deadlines(disk_timeout)
        self._closed = False

    def start(self) -> None:
        """Open the file in a thread of this process."""
        self._deadlines.start()
        self._file.start()

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        """Append, sync, then give partition 0 and the offset of each; the disk alone is waited for."""
        future: Promise[tuple[Placement, ...]] = Promise()
        if not records:
            future.succeed(())
        elif self._closed:
            future.fail(Unavailable("the gateway is stopping"))
        elif refused := self._in_flight.reserve(records):
            future.fail(refused)
        else:
            # One that is late was told to send again: its records are left out.
            written = self._file.submit(lambda file: file.append(records), lambda: not future.done())
            written.then(lambda _: self._in_flight.release(records))
            future.follow(written)
            self._deadlines.watch(future, lambda: future.fail(Unavailable(_LATE)))
        return future

    def healthy(self) -> Health:
        """Ready while the last commit worked."""
        if self._closed:
            return Health(False, "stopping")
        return Health(not self._file.broken, "the disk refuses" if self._file.broken else "local log")

    def close(self) -> None:
        """Write what is waiting, then stop."""
        if self._closed:
            return
        self._closed = True
        self._file.close()
        self._deadlines.stop()
