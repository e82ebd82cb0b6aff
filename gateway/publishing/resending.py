"""Which rows of the spool are sent, and when: a lane's in their order, and none that the client has."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model import Record
from gateway.publishing.client import Client, Lane
from gateway.publishing.in_flight import InFlight
from gateway.publishing.pace import Pace
from gateway.publishing.request import Item
from gateway.publishing.shelf import Shelf
from gateway.publishing.spool import Found, RowId
from gateway.publishing.under_way import UnderWay


class Resending:
    """What is known of the drainer's pass; used under its owner's lock."""

    def __init__(self, client: Client, shelf: Shelf, held: InFlight, under_way: UnderWay) -> None:
        self.pace = Pace()
        self._client = client
        self._shelf = shelf
        self._held = held
        self._under_way = under_way
        self._added = 0  # to the backlog, when the drainer last asked
        self._skip: set[Lane] = set()
        self._hopeful = False  # whether any row of this pass has a topic on Kafka

    def room(self, *, away: bool) -> int:
        """Say how many rows may be sent now."""
        if not (self._shelf.backlog and self._client.available):
            return 0
        self._added = self._shelf.backlog.added
        return self.pace.room(away=away, leaving=self._shelf.rows.leaving)

    def pick(self, found: Sequence[Found]) -> tuple[RowId | None, list[Item]]:
        """Give those of the rows that may be sent, counted as sent; say how far that went.

        The lanes of rows that are left out are skipped until the next pass, since no later row of theirs may
        go before them.
        """
        items: list[Item] = []
        reached: RowId | None = None
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
                    self._shelf.backlog.hand(record)
                    items.append(Item(record, spooled=True, row=row))
            reached = row
        self.pace.sent(len(items))
        return reached, items

    def begin_pass(self, *, nothing_waits: bool) -> bool:
        """Begin again with the oldest row; say whether none of the last pass can tell that Kafka is back.

        A lane of which the client gave something up is skipped until it has nothing of that lane any more:
        what it gives up next belongs before the rest. When there was no row at all, what the backlog still
        counts (damaged rows) does not wait.
        """
        self._shelf.brake.let_all_go()  # what is left waits for a topic, and not for its turn
        self._skip = {lane for lane in self._skip if lane in self._under_way}
        if nothing_waits and self._shelf.backlog.added == self._added:
            self._shelf.backlog.clear()
        hopeless = not (nothing_waits or self._hopeful or self._under_way)
        self._hopeful = False
        return hopeless

    def ended(self, *, acknowledged: bool) -> None:
        """A row is with the client no more."""
        self.pace.ended(acknowledged=acknowledged)

    def given_up(self, item: Item) -> None:
        """The client gave it up: it has to be sent again, before all others of its lane."""
        self._skip.add(item.record.lane)
        if item.spooled and item.row is not None:
            self._shelf.rows.free(item.row)
            self._shelf.brake.let_all_go()  # there is a pause now

    def _reserve(self, record: Record) -> bool:
        """Make room for a row; one that is larger than all the room goes alone."""
        if not self._held.bytes:
            self._held.count(record)
            return True
        return self._held.reserve([record]) is None
