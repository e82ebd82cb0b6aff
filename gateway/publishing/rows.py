"""Rows of the spool that the drainer must leave alone: the client holds them, or they are being deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gateway.promises import Promise
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.spool import RowId, SpoolFiles


class Rows:
    """Speaks for rows, and deletes those that are acknowledged, many in one commit.

    It is called by its owner and by the thread of the spool at the same time.
    """

    def __init__(self, spool: GroupCommit[SpoolFiles]) -> None:
        self._spool = spool
        self._lock = threading.Lock()
        self._held: set[RowId] = set()
        self._changing: set[RowId] = set()
        self._leaving: set[RowId] = set()  # they are to be deleted
        # Deleted or changed, but perhaps in the hands of a reader that read before.
        self._gone: set[RowId] = set()
        self._batch: list[RowId] | None = None  # waits for its turn to be deleted
        self._failed = False

    def __contains__(self, row: RowId) -> bool:
        with self._lock:
            return any(row in rows for rows in (self._held, self._changing, self._leaving, self._gone))

    @property
    def leaving(self) -> int:
        """Count the rows that are acknowledged and not deleted yet."""
        return len(self._leaving)

    def hold(self, row: RowId) -> None:
        """The client has its record."""
        with self._lock:
            self._held.add(row)

    def free(self, row: RowId) -> None:
        """The client has given it up."""
        with self._lock:
            self._held.discard(row)

    def delete(self, row: RowId) -> None:
        """It is acknowledged. Every read that is submitted after this call misses it."""
        with self._lock:
            self._leaving.add(row)
            self._held.discard(row)
            if self._batch is not None:
                self._batch.append(row)
                return
            batch = self._batch = [row]
        self._submit(batch)

    def change(self, row: RowId, work: Callable[[SpoolFiles], None]) -> Promise[None]:
        """Do something that ends the row's waiting; it waits on when that fails."""
        with self._lock:
            self._changing.add(row)
            self._held.discard(row)
        done = self._spool.submit(work)
        done.then(lambda done: self._changed(row, done))
        return done

    def before_read(self) -> None:
        """A read is about to be submitted; the one before is dealt with."""
        with self._lock:
            self._gone.clear()

    def retry(self) -> None:
        """Delete again what a disk refused to delete."""
        with self._lock:
            if not self._failed:
                return
            self._failed = False
            batch = list(self._leaving)
        self._submit(batch)

    def _submit(self, batch: list[RowId]) -> None:
        def delete(files: SpoolFiles) -> None:
            with self._lock:
                if self._batch is batch:
                    self._batch = None  # from here on it is too late to join
            files.delete(batch)

        self._spool.submit(delete, grows=False).then(lambda done: self._deleted(batch, done))

    def _deleted(self, batch: list[RowId], done: Promise[None]) -> None:
        with self._lock:
            if done.exception() is None:
                self._gone.update(batch)
                self._leaving.difference_update(batch)
                return
            self._failed = True
            if self._batch is batch:
                self._batch = None

    def _changed(self, row: RowId, done: Promise[None]) -> None:
        with self._lock:
            if done.exception() is None:
                self._gone.add(row)
            self._changing.discard(row)
