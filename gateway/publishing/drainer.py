"""Sends what waits in the spool, oldest first, in the background."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.errors import Unavailable
from gateway.promises import Promise
from gateway.publishing.dispatch import Dispatch
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.rows import Rows
from gateway.publishing.spool import START, SpoolFiles
from gateway.publishing.spool_file import Waiting

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

_TICK_SECONDS = 0.1
_BUSY_TICK_SECONDS = 0.003
_HOUSEKEEPING_SECONDS = 2.0
_STOP_SECONDS = 3.0
_READ_BACK_SECONDS = 60.0  # a gigabyte takes a few
_MOST_OF_THE_TIME = 0.1  # that goes into passes that find nothing to send
_LONGEST_REST_SECONDS = 10.0


class Drainer:
    """One thread. It goes through the spool in passes, each from the oldest row to the newest."""

    def __init__(
        self, spool: GroupCommit[SpoolFiles], rows: Rows, dispatch: Dispatch, alarm_seconds: float
    ) -> None:
        """``alarm_seconds`` is the age of the oldest row that is logged as an error."""
        self._spool = spool
        self._rows = rows
        self._dispatch = dispatch
        self._alarm_seconds = alarm_seconds
        self._cursor = START
        self._read = self._sent = 0  # rows of this pass
        self._began = self._rests_until = 0.0
        self._reading: Promise[list[Waiting]] = Promise()
        self._unread = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drainer", daemon=True)
        self._oldest: int | None = None
        self.alarmed = False
        self.parked = 0

    def start(self) -> None:
        """Read the files back, before anything is written to them; then start the thread."""
        self._reading = self._spool.submit(SpoolFiles.waiting, grows=False)
        self._reading.then(self._read_back)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_STOP_SECONDS)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest row has waited; a clock that was set back makes it 0, not negative."""
        return 0.0 if self._oldest is None else max(0.0, time.time() - self._oldest / 1_000)

    def _run(self) -> None:
        if not self._heard(self._reading, _READ_BACK_SECONDS):
            self._dispatch.unreadable()
        due = 0.0
        while not self._stop.is_set():
            if time.monotonic() >= due:
                due = time.monotonic() + _HOUSEKEEPING_SECONDS
                self._try(self._keep_house)
            self._try(self._drain)
            self._stop.wait(_BUSY_TICK_SECONDS if self._dispatch.draining else _TICK_SECONDS)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # a disk that refuses, above all; this thread must live on
            logger.debug("draining was interrupted", extra={"error": f"{type(error).__name__}: {error}"})

    def _read_back(self, done: Promise[list[Waiting]]) -> None:
        """Tell what the spool holds. Until then nothing goes direct, lest it overtake a row of its key."""
        self._unread = done.exception() is not None
        if self._unread:
            self._dispatch.unreadable()
        else:
            self._dispatch.found(done.result())

    def _drain(self) -> None:
        while self._step() and not self._stop.is_set():
            pass

    def _step(self) -> bool:
        """Send the next rows; False when there is nothing to do for the moment."""
        self._rows.before_read()
        most = self._dispatch.window()
        if most <= 0 or time.monotonic() < self._rests_until:
            return False
        if not self._read:
            self._began = time.monotonic()
        found = self._do(lambda files: files.rows(self._cursor, most))
        if not found:
            return self._end_pass()
        reached, sent = self._dispatch.resend(found)
        self._read += len(found)
        self._sent += sent
        self._cursor = reached or self._cursor
        return reached is not None

    def _end_pass(self) -> bool:
        """Begin again with the oldest row; at once if this pass sent any.

        Otherwise the rows wait for a topic, or for the client, and to read them all again costs much.
        """
        again, now = self._sent > 0, time.monotonic()
        if not again:
            rest = (now - self._began) * (1 / _MOST_OF_THE_TIME - 1)
            self._rests_until = now + min(rest, _LONGEST_REST_SECONDS)
        self._dispatch.begin_pass(nothing_waits=not self._read)
        self._cursor, self._read, self._sent = START, 0, 0
        return again

    def _keep_house(self) -> None:
        self._rows.retry()
        if self._unread:
            self._dispatch.found(self._do(SpoolFiles.waiting))
            self._unread = False
        adopted, self._oldest, self.parked = self._do(
            lambda files: (files.look_after(), files.oldest(), files.parked())
        )
        if adopted:
            self._dispatch.found(adopted)
            self._read += 1
            self._end_pass()
            self._rests_until = 0.0
        alarmed = self.oldest_seconds >= self._alarm_seconds
        if alarmed and not self.alarmed:
            logger.error("events wait in the spool for too long", extra={"seconds": int(self.oldest_seconds)})
        self.alarmed = alarmed

    def _do(self, work: Callable[[SpoolFiles], Value]) -> Value:
        """Wait as long as the disk takes: some of what it tells, it tells once."""
        done = self._spool.submit(work, grows=False)
        if not self._heard(done):
            raise Unavailable("the gateway is stopping")
        return done.result()

    def _heard(self, done: Promise[Any], seconds: float = math.inf) -> bool:
        """Wait for the disk; False when it takes longer, or until the stop."""
        end = time.monotonic() + seconds
        while not (done.done() or self._stop.is_set() or time.monotonic() > end):
            done.wait(_TICK_SECONDS)
        return done.done()
