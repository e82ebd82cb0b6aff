"""The file of events that were seen, and a way to ask it that never fails and never takes long.

The rollback journal is used, not the write-ahead log: several worker processes share the file, so that an
event taken by one of them is known to the others.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from gateway.model import Outcome, Placement, Record
from gateway.promises import Promise
from gateway.publishing.database import Database
from gateway.publishing.deadlines import Deadlines
from gateway.publishing.group_commit import GroupCommit

logger = logging.getLogger(__name__)

NAME = "seen.sqlite3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    digest BLOB PRIMARY KEY, marked REAL NOT NULL,
    outcome TEXT NOT NULL, partition INTEGER, offset INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_marked ON seen (marked);
"""
_FIND = "SELECT outcome, partition, offset FROM seen WHERE digest = ? AND marked > ? AND marked <= ?"
_MARK = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)"
_REMOVE = """
DELETE FROM seen WHERE digest IN (SELECT digest FROM seen WHERE marked <= ? OR marked > ? LIMIT ?)
"""
_REMOVED_FOR_EACH = 2  # more than one, so that the file stops growing

_FIND_SECONDS = 0.5
_MARK_SECONDS = 1.0
_MOST_UNWRITTEN = 10_000

Value = TypeVar("Value")


def digest(record: Record) -> bytes | None:
    """Tell an event from all others by 16 bytes; None for a record that has no identity.

    The same id under another topic or key is another statement.
    """
    if not (record.source and record.id):
        return None
    hashed = hashlib.blake2b(digest_size=16)
    for text in (record.source, record.id, record.topic):
        _add(hashed, text.encode(errors="surrogatepass"))
    _add(hashed, record.key)
    return hashed.digest()


def _add(hashed: hashlib.blake2b, part: bytes) -> None:
    """Length first, so that no two lists of parts look alike."""
    hashed.update(len(part).to_bytes(8))
    hashed.update(part)


class SeenFile(Database):
    """The file, open in one thread of this process.

    Rows carry the wall clock, since they outlive the process. One from the future was written before the
    clock stepped back: nobody knows how old it is, so it counts as old.
    """

    def __init__(self, folder: Path, window: float) -> None:
        """Open or make it; ``window`` in seconds. Raises OSError or database.Error."""
        super().__init__(folder / NAME, _SCHEMA, "TRUNCATE")
        self._window = window

    def find(self, digests: Collection[bytes], now: float) -> dict[bytes, Placement]:
        """Give the placements of those that were marked within the window."""
        found = {}
        for wanted in digests:
            row = self.execute(_FIND, (wanted, now - self._window, now)).fetchone()
            if row is not None:
                outcome, partition, offset = row
                found[wanted] = Placement(Outcome(outcome), partition, offset, duplicate=True)
        return found

    def mark(self, placements: Mapping[bytes, Placement], now: float) -> None:
        """Add rows, and remove some old ones in their stead."""
        self.execute(_REMOVE, (now - self._window, now, _REMOVED_FOR_EACH * len(placements)))
        rows = [(key, now, end.outcome.value, end.partition, end.offset) for key, end in placements.items()]
        self.execute_many(_MARK, rows)


class Seen:
    """Asks the file in a thread of its own; while the file does not answer, nothing waits for it.

    A failing disk is told by ``GroupCommit``, a slow one here.
    """

    def __init__(self, folder: Path, window: float, now: Callable[[], float]) -> None:
        """``window`` in seconds by the clock ``now``."""
        self._file = GroupCommit(NAME, lambda: SeenFile(folder, window))
        self._window = window
        self._now = now
        self._finding = Deadlines(_FIND_SECONDS)
        self._marking = Deadlines(_MARK_SECONDS)
        self._unwritten: dict[bytes, tuple[float, Placement]] = {}
        self._lock = threading.Lock()
        self._late: Promise[object] | None = None
        self._told = False

    def start(self) -> None:
        """Open the file, in a thread of this process."""
        self._finding.start()
        self._marking.start()
        self._file.start()

    def find(self, digests: Sequence[bytes]) -> Promise[dict[bytes, Placement]]:
        """Give what is known of these; only what this process knows if the file does not answer in time."""
        answer: Promise[dict[bytes, Placement]] = Promise()
        if not digests or self._hangs():
            answer.succeed(self._remembered(digests))
            return answer
        job = self._file.submit(
            lambda file: file.find(digests, self._now()), wanted=lambda: not answer.done()
        )
        self._wait(job, answer, lambda: self._remembered(digests), self._finding)
        return answer

    def mark(self, placements: Mapping[bytes, Placement]) -> Promise[None]:
        """Remember these; the future ends once they are on the disk, or that cannot be waited for."""
        answer: Promise[None] = Promise()
        if not placements or len(self._unwritten) >= _MOST_UNWRITTEN:
            answer.succeed(None)
            return answer
        now = self._now()
        with self._lock:
            self._unwritten.update({key: (now, placement) for key, placement in placements.items()})
        hangs = self._hangs()
        job = self._file.submit(lambda file: file.mark(placements, now))
        job.then(lambda _: self._forget(placements))
        if hangs:
            answer.succeed(None)
        self._wait(job, answer, lambda: None, self._marking)
        return answer

    def close(self) -> None:
        """Write what was given, then stop. Idempotent."""
        self._file.close()
        self._finding.stop()
        self._marking.stop()

    def _hangs(self) -> bool:
        """Whether the file still owes an answer that was waited for in vain."""
        late = self._late
        return late is not None and not late.done()

    def _wait(
        self, job: Promise[Value], answer: Promise[Value], instead: Callable[[], Value], wait: Deadlines
    ) -> None:
        def end(done: Promise[Value]) -> None:
            if done.exception() is not None:
                answer.succeed(instead())
            elif answer.succeed(done.result()):
                self._tell(False)

        def late() -> None:
            self._late = job  # type: ignore[assignment]  # first: what waits for the answer asks again
            if answer.succeed(instead()):
                self._tell(True)

        job.then(end)
        wait.watch(answer, late)

    def _remembered(self, digests: Collection[bytes]) -> dict[bytes, Placement]:
        """Give those that are still to be written."""
        now = self._now()
        with self._lock:
            known = {key: self._unwritten[key] for key in digests if key in self._unwritten}
        return {
            key: replace(placement, duplicate=True)
            for key, (marked, placement) in known.items()
            if now - self._window < marked <= now
        }

    def _forget(self, placements: Mapping[bytes, Placement]) -> None:
        with self._lock:
            for key in placements:
                self._unwritten.pop(key, None)

    def _tell(self, late: bool) -> None:
        """Log once that repeats go unnoticed, and once that it is over."""
        if late and not self._told:
            logger.warning("a file does not answer; repeats may be published", extra={"file": NAME})
        if self._told and not late:
            logger.info("a file answers again; repeats are noticed", extra={"file": NAME})
        self._told = late
