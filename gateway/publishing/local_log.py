"""The local log: the embedded stand-in for Kafka, one file with the same topics, keys and offsets.

A record is durable when its transaction is synced; requests that arrive together share one transaction.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from gateway.errors import Unavailable
from gateway.model import Health, Placement, Record
from gateway.publishing.futures import Deadlines, fail, succeed
from gateway.publishing.in_flight import InFlight
from gateway.publishing.local_log_file import LogFile

logger = logging.getLogger(__name__)

_MOST_REQUESTS_A_COMMIT = 200
_RETRY_SECONDS = 2.0
_CLOSE_SECONDS = 10.0

_Job = tuple[tuple[Record, ...], Future[tuple[Placement, ...]]]


class LocalLog:
    """A publisher whose records lie in one file, written by one thread."""

    def __init__(self, folder: Path, *, ack_timeout: float, max_in_flight_bytes: int = 2**26) -> None:
        """``ack_timeout`` in seconds bounds the wait of a request, whatever the disk does."""
        self._folder = folder
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._in_flight = InFlight(max_in_flight_bytes)
        self._deadlines = Deadlines(ack_timeout)
        self._thread = threading.Thread(target=self._run, name="local-log", daemon=True)
        self._file: LogFile | None = None
        self._broken = True  # until the file was opened
        self._told: str | None = None
        self._closed = False

    def start(self) -> None:
        """Open the file in a thread of this process."""
        self._deadlines.start()
        self._thread.start()

    def publish(self, records: Sequence[Record]) -> Future[tuple[Placement, ...]]:
        """Append, sync, then give partition 0 and the offset of each."""
        future: Future[tuple[Placement, ...]] = Future()
        if not records:
            succeed(future, ())
        elif self._closed:
            fail(future, Unavailable("the gateway is stopping"))
        elif refused := self._in_flight.reserve(records):
            fail(future, refused)
        else:
            self._jobs.put((tuple(records), future))
            late = Unavailable("the disk did not answer in time; the event may have been written")
            self._deadlines.watch(future, lambda: fail(future, late))
        return future

    def healthy(self) -> Health:
        """Ready while the last commit worked."""
        if self._closed:
            return Health(False, "stopping")
        return Health(not self._broken, "the disk refuses" if self._broken else "local log")

    def close(self) -> None:
        """Write what is waiting, then stop."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=_CLOSE_SECONDS)
        self._deadlines.stop()

    def _run(self) -> None:
        jobs: list[_Job] | None = []
        while jobs is not None:
            self._write([job for job in jobs if not job[1].done()])  # a late one was told to send again
            for records, _ in jobs:
                self._in_flight.release(records)
            jobs = self._next_jobs()
        self._discard()

    def _write(self, jobs: Sequence[_Job]) -> None:
        """Commit the jobs; without any, only learn whether the disk works."""
        try:
            self._file = self._file or LogFile(self._folder)
            if self._broken:
                self._file.try_to_grow()
            placements = self._file.append([records for records, _ in jobs])
        except Exception as error:  # whatever it is, this thread must live on
            self._tell(str(error))
            self._discard()  # a file that refused a sync is opened afresh, never synced again
            for _, future in jobs:
                fail(future, Unavailable("the disk refuses the event"))
        else:
            self._tell(None)
            for (_, future), placed in zip(jobs, placements, strict=True):
                succeed(future, placed)

    def _tell(self, error: str | None) -> None:
        """Note whether the disk takes events, and log it when that changes."""
        if error is not None and error != self._told:
            logger.error("the local log cannot be written", extra={"error": error})
        if error is None and self._told is not None:
            logger.info("the local log can be written again")
        self._told = error
        self._broken = error is not None

    def _next_jobs(self) -> list[_Job] | None:
        """Wait for a request, then take all that came meanwhile; None at the end.

        While the disk refuses, an empty list every few seconds: a try, so that readiness can come back.
        """
        jobs: list[_Job] = []
        try:
            job = self._jobs.get(timeout=_RETRY_SECONDS if self._broken else None)
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MOST_REQUESTS_A_COMMIT:
                    return jobs
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs
        if not jobs:
            return None
        self._jobs.put(None)  # the end; it stays the last, since nothing is taken after it
        return jobs

    def _discard(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except Exception as error:
                logger.warning("closing the local log failed", extra={"error": str(error)})
        self._file = None
