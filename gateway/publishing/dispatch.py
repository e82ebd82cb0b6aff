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
from collections.abc import Sequence

from gateway.errors import GatewayError, Refusal
from gateway.model import Placement, Record
from gateway.publishing.answers import Answers
from gateway.publishing.client import Client, End
from gateway.publishing.in_flight import InFlight
from gateway.publishing.pace import Pace
from gateway.publishing.request import Item, Request
from gateway.publishing.shelf import Shelf
from gateway.publishing.spool import Found, RowId
from gateway.publishing.spool_file import Waiting

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
        self._under_way: dict[Item, None] = {}  # with the client, in the order sent
        self._known = False  # what the spool holds
        self._skip: set[tuple[str, bytes]] = set()

    # -- what the publisher asks ----------------------------------------------------------------------------

    def take(self, request: Request) -> bool:
        """Send each record to Kafka or to the spool; say whether any waits for Kafka."""
        with self._locked():
            self._look()
            items = [Item(record, request, index) for index, record in enumerate(request.records)]
            direct = [item for item in items if self._goes_direct(item.record)]
            if direct and self._held.reserve([item.record for item in direct]):
                self._go_away()
                direct = []
            straight = set(direct)
            self._shelf.put([item for item in items if item not in straight])
            self._to_client(direct)
        return bool(direct)

    def late(self, request: Request) -> None:
        """The budget of a request ran out: spool what still waits for Kafka."""
        with self._locked():
            self._hold([item for item in self._under_way if item.request is request and item.waits])

    # -- what the drainer asks ------------------------------------------------------------------------------

    def found(self, waiting: Sequence[Waiting]) -> None:
        """Rows were found in the files: at the start, or left by another process."""
        with self._locked():
            self._shelf.backlog.load(waiting)
            self._known = True

    def unreadable(self) -> None:
        """The files cannot be read: what is in them has to wait, and Kafka goes on without."""
        with self._locked():
            self._known = True

    def window(self) -> int:
        """Say how many rows may be sent now."""
        with self._locked():
            self._look()
            if not (self._known and self._shelf.backlog.records and self._client.available):
                return 0
            return self._pace.room(away=self.away)

    def resend(self, found: Sequence[Found]) -> tuple[RowId | None, int]:
        """Send what may be sent of the rows, in order; say how far that went, and how many were sent.

        The keys of rows that are left out are skipped until the next pass, since no later row of theirs may
        go before them.
        """
        items: list[Item] = []
        reached: RowId | None = None
        with self._locked():
            for row, content in found:
                record = content.record
                if row not in self._shelf.rows:
                    if record.lane in self._skip or not self._client.takes(record.topic):
                        self._skip.add(record.lane)
                    elif self._held.reserve([record]):
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

        When there was no row at all, what the backlog still counts (damaged rows) does not wait.
        """
        with self._locked():
            self._skip.clear()
            if nothing_waits and not self._shelf.writing.bytes and not self._under_way:
                self._shelf.backlog.clear()

    # -- where a record goes --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Notice that the brokers went away or, when nothing is left that could tell, that they are back."""
        if not self._client.available:
            self._go_away()
        elif self.away and self._known and not self._under_way and not self._shelf.backlog.records:
            self.away = False

    def _goes_direct(self, record: Record) -> bool:
        usual = self._known and not self.away and not self._always_spool
        return usual and self._client.takes(record.topic) and record.lane not in self._shelf.backlog

    def _to_client(self, items: Sequence[Item]) -> None:
        if not items:
            return
        for item in items:
            item.with_client = True
            self._under_way[item] = None
        records = [item.record for item in items]
        self._client.send(records, lambda index, end: self._ended(items[index], end))

    def _go_away(self, first: Sequence[Item] = ()) -> None:
        """Spool all that is under way, ``first`` before the rest."""
        if not self.away:
            logger.warning("Kafka does not acknowledge; events go to the spool")
        self.away = True
        self._shelf.put([item for item in dict.fromkeys([*first, *self._under_way]) if item.waits])

    def _hold(self, items: Sequence[Item]) -> None:
        """Spool records that are late or failed; with all others, unless only their topics are the matter."""
        topics = {item.record.topic for item in items}
        if items and self._client.available and not any(map(self._client.takes, topics)):
            alike = [item for item in self._under_way if item.record.topic in topics]
            self._shelf.put([item for item in dict.fromkeys([*items, *alike]) if item.waits])
        elif items:
            self._go_away(items)

    # -- what becomes of it ---------------------------------------------------------------------------------

    def _ended(self, item: Item, end: End) -> None:
        """The client has it acknowledged, gave it up, or was told that Kafka never takes it."""
        with self._locked():
            item.with_client = False
            self._under_way.pop(item, None)
            self._held.release([item.record])
            if item.request is None:
                self._pace.ended(acknowledged=not isinstance(end, GatewayError))
            if isinstance(end, Placement):
                self._back()
                self._shelf.acknowledged(item, end)
            elif isinstance(end, Refusal):
                self._shelf.refused(item, end)
            elif item.waits:
                self._hold([item])
            elif item.row is not None:  # it has to be sent again, before all others of its key
                self._shelf.rows.free(item.row)
                self._skip.add(item.record.lane)

    def _back(self) -> None:
        if self.away:
            logger.info("Kafka acknowledges")
        self.away = False
