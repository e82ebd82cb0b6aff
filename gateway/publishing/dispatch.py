"""Where a record goes while Kafka comes and goes.

Three states, of which only *away* is noted; the others follow from what waits in the spool:

direct    Nothing waits. A record goes to the client; if it is not acknowledged within the budget: away.
away      Kafka does not acknowledge. A record goes to the spool, and nobody waits for Kafka. Left with the
          next acknowledgement, of a record that the client still holds or of one that the drainer tries.
draining  Something waits. A key queues behind its records in the spool until the client holds them all; other
          keys go direct. What queues is answered a little later (``Brake``), lest the spool fill as fast.

When *away* begins, the records under way are spooled too, in their order. The client still holds them, so
they are left to it: its late acknowledgement deletes the row, its failure frees the row for the drainer.
That is why an outage makes no duplicates.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from gateway.errors import GatewayError, Refusal
from gateway.model import Placement
from gateway.publishing.answers import Answers
from gateway.publishing.client import Client, End
from gateway.publishing.in_flight import InFlight
from gateway.publishing.request import Item, Request
from gateway.publishing.resending import Resending
from gateway.publishing.shelf import Shelf
from gateway.publishing.spool import Found, RowId
from gateway.publishing.spool_file import Waiting
from gateway.publishing.under_way import UnderWay

logger = logging.getLogger(__name__)

_AT_ONCE = 256  # records of one request, before another may have the lock


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
        self._under_way = UnderWay()
        self._resending = Resending(client, shelf, self._held, self._under_way)
        self._known = False  # what the spool holds, or that it cannot be known
        self._counted = False  # what it holds

    # -- what the publisher asks ----------------------------------------------------------------------------

    def take(self, request: Request, *, straight_to_spool: bool = False, patient: bool = False) -> bool:
        """Send each record to Kafka or to the spool; say whether any waits for Kafka, or for the drainer: a
        ``patient`` sender may be held back while that is busy.
        """
        waits = False
        for first in range(0, len(request.records), _AT_ONCE):
            part = request.records[first : first + _AT_ONCE]
            items = [Item(record, request, index) for index, record in enumerate(part, first)]
            with self._locked():
                if not straight_to_spool and self._is_clear(items) and not self._held.reserve(part):
                    self._to_client(items)
                    waits = True
                else:
                    waits |= self._take_apart(items, request, straight_to_spool, patient)
        return waits

    def _take_apart(self, items: list[Item], request: Request, to_spool: bool, patient: bool) -> bool:
        self._look()
        direct, behind = ([], [*items]) if to_spool else self._parted(items)
        if direct and self._held.reserve([item.record for item in direct]):
            self._go_away()
            direct, behind = [], items
        if behind:
            request.patient |= patient and self._is_draining(behind)
            self._put_behind(behind)
        self._to_client(direct)
        return bool(direct) or request.patient

    def late(self, request: Request, *, early: bool = False) -> None:
        """The budget of a request ran out: spool what still waits for Kafka, and hold nothing back.

        An ``early`` one, of a sender in haste, says nothing about Kafka: only its own lanes go to the spool.
        """
        with self._locked():
            self._shelf.brake.let_go(request)
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
        """Whether rows are on their way out, to a Kafka that answers, so that there is soon room for more."""
        return not self.away and (self._resending.pace.under_way > 0 or self._shelf.rows.leaving > 0)

    def window(self) -> int:
        """Say how many rows may be sent now."""
        with self._locked():
            self._look()
            return self._resending.room(away=self.away) if self._counted else 0

    def resend(self, found: Sequence[Found]) -> tuple[RowId | None, int]:
        """Send what may be sent of the rows, in order; say how far that went, and how many were sent."""
        with self._locked():
            reached, items = self._resending.pick(found)
            self._to_client(items)
        return reached, len(items)

    def begin_pass(self, *, nothing_waits: bool) -> None:
        """The drainer begins again with the oldest row; ``nothing_waits``: it met none."""
        with self._locked():
            if self._resending.begin_pass(nothing_waits=nothing_waits) and self._client.available:
                self._be_away(False)

    # -- where a record goes --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Notice that the brokers went away or, when nothing is left that could tell, that they are back."""
        if not self._client.available:
            if not self.away:
                self._go_away()
        elif self.away and self._known and not self._under_way and not self._shelf.backlog:
            self._be_away(False)

    def _is_clear(self, items: Sequence[Item]) -> bool:
        """Whether nothing keeps any item from Kafka, as it mostly is."""
        kept = self.away or self._shelf.backlog or self._always_spool or not self._known
        return not kept and all(map(self._client.takes, {item.record.topic for item in items}))

    def _parted(self, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Tell those that go to the client from those that go to the spool.

        Asked once a topic, not once a record: a topic may come back between two records of one lane.
        """
        if self.away or self._always_spool or not self._known:
            return [], [*items]
        taken = self._takes(items)
        direct: list[Item] = []
        behind: list[Item] = []
        backlog = self._shelf.backlog
        for item in items:
            goes = item.record.topic in taken and not (backlog and item.record.lane in backlog)
            (direct if goes else behind).append(item)
        return direct, behind

    def _is_draining(self, items: Sequence[Item]) -> bool:
        """Whether the items only wait for their turn: to wait for a topic or for a pause may take long."""
        going = self._shelf.brake.on and not self._resending.pace.pausing
        return going and len(self._takes(items)) == len({item.record.topic for item in items})

    def _takes(self, items: Sequence[Item]) -> set[str]:
        """Give those of their topics that the client takes."""
        return {topic for topic in {item.record.topic for item in items} if self._client.takes(topic)}

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
        self._be_away(True)
        self._shelf.put(self._under_way.waiting())

    def _be_away(self, away: bool) -> None:
        self.away = away
        self._shelf.brake.on = not (away or self._always_spool)
        if away:
            self._shelf.brake.let_all_go()

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
            for index, end in ends:
                item = items[index]
                if item.request is None:
                    self._resending.ended(acknowledged=isinstance(end, Placement))
                if isinstance(end, Placement):
                    if self.away:
                        self._back()
                    self._shelf.acknowledged(item, end)
                    item.with_client = False
                else:
                    self._not_acknowledged(item, end)
                self._under_way.remove(item)
            self._held.release([items[index].record for index, _ in ends])

    def _not_acknowledged(self, item: Item, error: GatewayError) -> None:
        item.with_client = False
        if item.spooled and not item.over:
            self._shelf.backlog.take_back(item.record)
        if isinstance(error, Refusal):
            self._shelf.refused(item, error)
        else:
            self._given_up(item)

    def _given_up(self, item: Item) -> None:
        waits = item.waits
        self._resending.given_up(item)
        if waits:
            self._hold([item.record.topic])

    def _back(self) -> None:
        self._be_away(False)
        logger.info("Kafka acknowledges")
