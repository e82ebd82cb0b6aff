"""Where a record goes while Kafka comes and goes.

Three states, of which only *away* is noted; the others follow from what waits in the spool:

direct    Nothing waits. A record goes to the client; if it is not acknowledged within the budget: away.
away      Kafka does not acknowledge. A record goes to the spool, and nobody waits for Kafka. Left with the
          next acknowledgement, of a record that the client still holds or of one that the drainer tries.
draining  Something waits. A key that has records in the spool queues behind them, other keys go direct.

When *away* begins, the records under way are spooled too, in their order. The client still holds them, so
they are left to it: its late acknowledgement deletes the row, its failure frees the row for the drainer.
That is why an outage makes no duplicates.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from gateway.errors import Refusal
from gateway.model import Placement, Record
from gateway.publishing.answers import Answers
from gateway.publishing.client import Client, End, Lane
from gateway.publishing.in_flight import InFlight
from gateway.publishing.pace import Pace
from gateway.publishing.request import Item, Request
from gateway.publishing.shelf import Shelf
from gateway.publishing.spool import Found, RowId
from gateway.publishing.spool_file import Waiting
from gateway.publishing.under_way import UnderWay

logger = logging.getLogger(__name__)


class Dispatch:
    """The state machine. Everything in it and on the shelf changes under one lock."""

    def __init__(
        self,
        client: Client,
        shelf: Shelf,
        answers: Answers,
        *,
        always_spool: bool,
        max_in_flight_bytes: int,
    ) -> None:
        """``max_in_flight_bytes`` bounds what the client holds."""
        self.away = True  # until the brokers are reached
        self._client = client
        self._shelf = shelf
        self._locked = answers.locked
        self._always_spool = always_spool
        self._held = InFlight(max_in_flight_bytes)
        self._pace = Pace()
        self._under_way = UnderWay()
        self._known = False  # what the spool holds, or that it cannot be known
        self._counted = False  # what it holds
        self._added = 0  # to the backlog, when the drainer last asked
        self._skip: set[Lane] = set()
        self._hopeful = False  # whether any row of this pass has a topic on Kafka

    # -- what the publisher asks ----------------------------------------------------------------------------

    def take(self, request: Request, *, straight_to_spool: bool = False) -> bool:
        """Send each record to Kafka or to the spool; say whether any waits for Kafka."""
        with self._locked():
            self._look()
            items = [Item(record, request, index) for index, record in enumerate(request.records)]
            direct, behind = ([], [*items]) if straight_to_spool else self._parted(items)
            if direct and self._held.reserve([item.record for item in direct]):
                self._go_away()
                direct, behind = [], items
            if behind:
                self._put_behind(behind)
            self._to_client(direct)
        return bool(direct)

    def late(self, request: Request, *, early: bool = False) -> None:
        """The budget of a request ran out: spool what still waits for Kafka.

        An ``early`` one, of a sender in haste, says nothing about Kafka: only its own lanes go to the spool.
        """
        with self._locked():
            waiting = self._under_way.waiting_in({record.lane for record in request.records})
            topics = {item.record.topic for item in waiting if item.request is request}
            if topics and early:
                self._shelf.put(waiting)
            elif topics:
                self._hold(topics)

    # -- what the drainer asks ------------------------------------------------------------------------------

    def found(self, waiting: Sequence[Waiting]) -> None:
        """Rows were found in the files: at the start, or left by another process."""
        with self._locked():
            self._shelf.backlog.load(waiting)
            self._known = self._counted = True

    def unreadable(self) -> None:
        """The files cannot be read: what is in them has to wait, and Kafka goes on without.

        To wait until it is counted, too: an end that is counted out and never in would open its lane.
        """
        with self._locked():
            self._known = True

    @property
    def held_bytes(self) -> int:
        """Bytes that the client holds."""
        return self._held.bytes

    @property
    def draining(self) -> bool:
        """Whether rows are under way to a Kafka that answers, so that there is soon room for more."""
        return not self.away and self._pace.under_way > 0

    def window(self) -> int:
        """Say how many rows may be sent now."""
        with self._locked():
            self._look()
            if not (self._counted and self._shelf.backlog and self._client.available):
                return 0
            self._added = self._shelf.backlog.added
            return self._pace.room(away=self.away, leaving=self._shelf.rows.leaving)

    def resend(self, found: Sequence[Found]) -> tuple[RowId | None, int]:
        """Send what may be sent of the rows, in order; say how far that went, and how many were sent.

        The lanes of rows that are left out are skipped until the next pass, since no later row of theirs may
        go before them.
        """
        items: list[Item] = []
        reached: RowId | None = None
        with self._locked():
            for row, content in found:
                record = content.record
                self._hopeful |= self._client.takes(record.topic)
                if row not in self._shelf.rows:
                    if record.lane in self._skip or not self._client.takes(record.topic):
                        self._skip.add(record.lane)
                    elif not self._reserve(record):
                        break
                    else:
                        self._shelf.rows.hold(row)
                        items.append(Item(record, spooled=True, row=row))
                reached = row
            self._pace.sent(len(items))
            self._to_client(items)
        return reached, len(items)

    def begin_pass(self, *, nothing_waits: bool) -> None:
        """The drainer begins again with the oldest row.

        A lane of which the client gave something up is skipped until it has nothing of that lane any more:
        what it gives up next belongs before the rest. When there was no row at all, what the backlog still
        counts (damaged rows) does not wait.
        """
        with self._locked():
            self._skip = {lane for lane in self._skip if lane in self._under_way}
            if nothing_waits and self._shelf.backlog.added == self._added:
                self._shelf.backlog.clear()
            if not (nothing_waits or self._hopeful or self._under_way) and self._client.available:
                self.away = False  # nothing that waits could tell that Kafka is back
            self._hopeful = False

    # -- where a record goes --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Notice that the brokers went away or, when nothing is left that could tell, that they are back."""
        if not self._client.available:
            if not self.away:
                self._go_away()
        elif self.away and self._known and not self._under_way and not self._shelf.backlog:
            self.away = False

    def _parted(self, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Tell those that go to the client from those that go to the spool.

        Asked once a topic, not once a record: a topic may come back between two records of one lane.
        """
        if self.away or self._always_spool or not self._known:
            return [], [*items]
        taken = {topic for topic in {item.record.topic for item in items} if self._client.takes(topic)}
        direct: list[Item] = []
        behind: list[Item] = []
        backlog = self._shelf.backlog
        for item in items:
            goes = item.record.topic in taken and not (backlog and item.record.lane in backlog)
            (direct if goes else behind).append(item)
        return direct, behind

    def _reserve(self, record: Record) -> bool:
        """Make room for a row; one that is larger than all the room goes alone."""
        if not self._held.bytes:
            self._held.count(record)
            return True
        return self._held.reserve([record]) is None

    def _to_client(self, items: Sequence[Item]) -> None:
        if not items:
            return
        self._under_way.add(items)
        records = [item.record for item in items]
        self._client.send(records, lambda ends: self._ended(items, ends))

    def _put_behind(self, items: Sequence[Item]) -> None:
        """Spool items, but first what is under way in their lanes, which the client may give up yet."""
        self._shelf.put([*self._under_way.waiting_in({item.record.lane for item in items}), *items])

    def _go_away(self) -> None:
        """Spool all that is under way."""
        if not self.away:
            logger.warning("Kafka does not acknowledge; events go to the spool")
        self.away = True
        self._shelf.put(self._under_way.waiting())

    def _hold(self, topics: Collection[str]) -> None:
        """Records of these topics are late or failed: spool them; and all others, unless only the topics are
        the matter.
        """
        if self._client.available and not any(map(self._client.takes, topics)):
            self._shelf.put(self._under_way.waiting_on(topics))
        else:
            self._go_away()

    # -- what becomes of it ---------------------------------------------------------------------------------

    def _ended(self, items: Sequence[Item], ends: Sequence[tuple[int, End]]) -> None:
        """The client has them acknowledged, gave them up, or was told that Kafka never takes them."""
        with self._locked():
            ended = [items[index] for index, _ in ends]
            for item, (_, end) in zip(ended, ends, strict=True):
                item.with_client = False
                if item.request is None:
                    self._pace.ended(acknowledged=isinstance(end, Placement))
                if isinstance(end, Placement):
                    self._back()
                    self._shelf.acknowledged(item, end)
                elif isinstance(end, Refusal):
                    self._shelf.refused(item, end)
                else:
                    self._given_up(item)
                self._under_way.remove(item)
            self._held.release([item.record for item in ended])

    def _given_up(self, item: Item) -> None:
        """It has to be sent again, before all others of its lane."""
        self._skip.add(item.record.lane)
        if item.waits:
            self._hold([item.record.topic])
        elif item.row is not None:
            self._shelf.rows.free(item.row)

    def _back(self) -> None:
        if self.away:
            self.away = False
            logger.info("Kafka acknowledges")
