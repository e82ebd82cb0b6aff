"""One thread that owns a file: work that arrives together shares one transaction, and one sync."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from gateway.errors import Unavailable
from gateway.promises import Promise

logger = logging.getLogger(__name__)

_MOST_JOBS_A_COMMIT = 200
_RETRY_SECONDS = 2.0
_CLOSE_SECONDS = 10.0


class File(Protocol):
    """What the thread needs of its file."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; synced when it ends without an error."""

    def try_to_grow(self) -> None:
        """Raise unless the disk takes as much as the largest record."""

    def close(self) -> None:
        """Close it."""


AFile = TypeVar("AFile", bound=File)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Job(Generic[AFile]):
    work: Callable[[AFile], Any]
    wanted: Callable[[], bool]
    grows: bool
    done: Promise[Any]


class GroupCommit(Generic[AFile]):
    """Runs work on the file in the order it was given; a failed commit fails all that was in it."""

    def __init__(self, name: str, open_file: Callable[[], AFile]) -> None:
        """``open_file`` is called by the thread, again after every error."""
        self._name = name
        self._open = open_file
        self._jobs: queue.SimpleQueue[_Job[AFile] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._lock = threading.Lock()
        self._file: AFile | None = None
        self._told: str | None = None
        self._closed = False
        self.broken = True  # until the file was opened

    def start(self) -> None:
        """Open the file, in a thread of this process."""
        self._thread.start()

    def submit(
        self,
        work: Callable[[AFile], Value],
        wanted: Callable[[], bool] = lambda: True,
        *,
        grows: bool = True,
    ) -> Promise[Value]:
        """Give what ``work`` gives, once it is on the disk; the promise raises Unavailable otherwise.

        ``wanted`` is asked when its turn has come: work that nobody waits for is left out, and fails. Work
        that does not let the file grow is tried even while the disk takes nothing more: it may make room.
        """
        job = _Job(work, wanted, grows, Promise())
        with self._lock:
            if not self._closed:
                self._jobs.put(job)
                return job.done
        job.done.fail(Unavailable("the gateway is stopping"))
        return job.done

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Do what was given, then stop. Idempotent."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=_CLOSE_SECONDS)

    def _run(self) -> None:
        jobs: list[_Job[AFile]] | None = []
        while jobs is not None:
            self._commit(jobs)
            jobs = self._next_jobs()
        self._discard()

    def _commit(self, jobs: Sequence[_Job[AFile]]) -> None:
        """Commit the jobs; without any, only learn whether the disk works."""
        if self.broken:
            self._try_to_grow()
        possible = [job for job in jobs if not (self.broken and job.grows)]
        try:
            wanted = [job for job in possible if job.wanted()]
            results = self._work(wanted)
        except Exception as error:  # whatever it is, this thread must live on
            self._fell_over(error)
        else:
            for job, result in zip(wanted, results, strict=True):
                job.done.succeed(result)
            for job in possible:
                job.done.fail(Unavailable("the disk did not take the event in time"))  # unless done
        for job in jobs:
            job.done.fail(Unavailable("the disk refuses the event"))  # unless done

    def _try_to_grow(self) -> None:
        try:
            self._opened().try_to_grow()
        except Exception as error:
            self._fell_over(error)
        else:
            self._tell(None)

    def _work(self, jobs: Sequence[_Job[AFile]]) -> list[Any]:
        if not jobs:
            return []
        file = self._opened()
        with file.transaction():
            return [job.work(file) for job in jobs]

    def _opened(self) -> AFile:
        self._file = self._file or self._open()
        return self._file

    def _fell_over(self, error: Exception) -> None:
        """Open the file afresh the next time."""
        self._tell(f"{type(error).__name__}: {error}")
        self._discard()

    def _tell(self, error: str | None) -> None:
        """Note whether the disk takes events, and log it when that changes."""
        if error is not None and error != self._told:
            logger.error("a file cannot be written", extra={"file": self._name, "error": error})
        if error is None and self._told is not None:
            logger.info("a file can be written again", extra={"file": self._name})
        self._told = error
        self.broken = error is not None

    def _next_jobs(self) -> list[_Job[AFile]] | None:
        """Wait for a job, then take all that came meanwhile; None at the end.

        While the disk refuses, an empty list every few seconds: a try, so that readiness can come back.
        """
        jobs: list[_Job[AFile]] = []
        try:
            job = self._jobs.get(timeout=_RETRY_SECONDS if self.broken else None)
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MOST_JOBS_A_COMMIT:
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
                logger.warning("closing a file failed", extra={"file": self._name, "error": str(error)})
        self._file = None
