"""The spool as the state machine sees it: items are put there, taken out, and set aside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from gateway.errors import GatewayError, Refusal, Unavailable
from gateway.model import Placement, Record
from gateway.promises import Promise
from gateway.publishing.answers import Answers
from gateway.publishing.backlog import Backlog
from gateway.publishing.brake import Brake
from gateway.publishing.client import End
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.in_flight import InFlight
from gateway.publishing.request import Item, Request
from gateway.publishing.rows import Rows
from gateway.publishing.spool import RowId, SpoolFiles

logger = logging.getLogger(__name__)

_FULL = "Kafka is away and the spool is full"

# Makes a dead letter of a record that Kafka refuses after its sender had a 2xx, or gives None.
StepAside = Callable[[Record, GatewayError], Record | None]
# Told what became of such a record: True when the dead letter took its place, False when it is parked.
SetAside = Callable[[bool], None]


class Shelf:
    """What waits for Kafka on this node. Its methods are called with the lock held."""

    def __init__(
        self,
        spool: GroupCommit[SpoolFiles],
        answers: Answers,
        *,
        max_bytes: int,
        max_in_flight_bytes: int,
        step_aside: StepAside,
        set_aside: SetAside,
        spooling: Callable[[Request], None],
    ) -> None:
        """``spooling`` is called when a request begins to wait for the disk."""
        self.rows = Rows(spool)
        self.backlog = Backlog(max_bytes)
        self.brake = Brake(answers)
        self.writing = InFlight(2 * max_in_flight_bytes)  # what the client holds may come all at once
        self.heard = 0.0  # when the disk last answered, by the monotonic clock
        self._spool = spool
        self._answers = answers
        self._step_aside = step_aside
        self._set_aside = set_aside
        self._spooling = spooling

    def put(self, items: Sequence[Item]) -> None:
        """Spool items in their order; those that find no room are answered so."""
        taken = []
        for item in items:
            if refused := self._refuses(item.record):
                self.end(item, refused)
            else:
                item.spooled = True
                self.backlog.add(item.record, handed=item.with_client)
                taken.append(item)
        if taken:
            self._write(taken)

    def _refuses(self, record: Record) -> GatewayError | None:
        return self.writing.reserve([record]) if self.backlog.has_room(record) else Unavailable(_FULL)

    def acknowledged(self, item: Item, placement: Placement) -> None:
        """Kafka has it."""
        if not (item.spooled or item.over):
            item.over = True
            self._answers.add(item, placement)
            return
        if item.row is not None:
            self.rows.delete(item.row)
            self.brake.left()
        self.end(item, placement)

    def refused(self, item: Item, refusal: Refusal) -> None:
        """Tell the sender if it has no answer yet; else put a dead letter in the row's place, or park it."""
        if item.row is None:
            self.end(item, refusal)
            return
        row, record = item.row, item.record
        aside = self._dead_letter(record, refusal)
        told = {"topic": record.topic, "type": refusal.type, "parked": aside is None}
        logger.error("Kafka refuses a spooled event for good", extra=told)
        work = _park(row, refusal.type) if aside is None else _replace(row, aside)
        self.rows.change(row, work).then(lambda done: self._moved(record, aside, done))

    def _dead_letter(self, record: Record, refusal: Refusal) -> Record | None:
        try:
            aside = self._step_aside(record, refusal)
        except Exception:  # the row must not hang between Kafka and the spool
            logger.exception("a dead letter could not be made", extra={"topic": record.topic})
            return None
        is_refused_itself = aside is not None and aside.topic == record.topic
        return None if is_refused_itself else aside

    def end(self, item: Item, end: End) -> None:
        """Be done with an item, once."""
        if not item.over:
            item.over = True
            if item.spooled:
                self.backlog.remove(item.record, handed=item.with_client)
            self._answers.add(item, end)

    def _write(self, items: Sequence[Item]) -> None:
        records = [item.record for item in items]
        requests = list(dict.fromkeys(item.request for item in items if item.request))
        written = self._spool.submit(
            lambda files: files.append(records),
            wanted=lambda: any(not request.future.done() for request in requests),
        )
        written.then(lambda done: self._written(items, done))
        for request in requests:
            self._spooling(request)

    def _written(self, items: Sequence[Item], done: Promise[list[RowId]]) -> None:
        """The spool has synced the records, or could not."""
        with self._answers.locked():
            self.heard = time.monotonic()
            self.writing.release([item.record for item in items])
            error = done.exception()
            for index, item in enumerate(items):
                if error is None:
                    self._settled_in(item, done.result()[index])
                else:  # one each, since a request writes on its own what became of its records
                    self.end(item, Unavailable(str(error)))

    def _settled_in(self, item: Item, row: RowId) -> None:
        if item.over:  # acknowledged or refused while it was being written
            self.rows.delete(row)
            return
        item.row = row
        if item.with_client:
            self.rows.hold(row)
        self.brake.answer(item)

    def _moved(self, record: Record, aside: Record | None, done: Promise[None]) -> None:
        with self._answers.locked():
            if done.exception() is None:
                self.backlog.remove(record)
                if aside is not None:
                    self.backlog.add(aside)
                self._set_aside(aside is not None)


def _replace(row: RowId, record: Record) -> Callable[[SpoolFiles], None]:
    return lambda files: files.put_in_place(row, record)


def _park(row: RowId, reason: str) -> Callable[[SpoolFiles], None]:
    return lambda files: files.park(row, reason)
