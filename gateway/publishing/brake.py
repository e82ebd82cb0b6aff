"""Slows senders down while a backlog is drained, so that more goes out of the spool than comes in.

Intake and drainer share a core. Senders that each wait for their answer before they send again would keep the
drainer from ever catching up, were they answered as soon as the disk has their events.
"""

from __future__ import annotations

from gateway.model import Outcome, Placement
from gateway.publishing.answers import Answers
from gateway.publishing.request import Item, Request

_ROWS_FOR_ONE = 3
_MOST_CREDIT = 3_072
_SPOOLED = Placement(Outcome.SPOOLED)


class Brake:
    """Answers what the spool has synced; while it is ``on``, one for every few rows that left the spool.

    Used under its owner's lock. Whoever waits as long as its budget is let go by its owner.
    """

    def __init__(self, answers: Answers) -> None:
        self.on = False
        self._answers = answers
        self._held: dict[Request, list[Item]] = {}
        self._credit = 0

    def answer(self, item: Item) -> None:
        """The spool has the item: tell its sender, now or later."""
        request = item.request
        if request is None:
            return
        if self.on and request.patient:
            self._held.setdefault(request, []).append(item)
            self._spend()
        else:
            self._answers.add(item, _SPOOLED)

    def left(self) -> None:
        """A row has left the spool."""
        if self._credit < _MOST_CREDIT:
            self._credit += 1
        if self._held:
            self._spend()

    def let_go(self, request: Request) -> None:
        """Hold nothing of the request any more."""
        request.patient = False
        for item in self._held.pop(request, ()):
            self._answers.add(item, _SPOOLED)

    def let_all_go(self) -> None:
        """Answer all that are held."""
        for request in list(self._held):
            self.let_go(request)

    def _spend(self) -> None:
        while self._held:
            request = next(iter(self._held))
            cost = min(_ROWS_FOR_ONE * len(self._held[request]), _MOST_CREDIT)
            if cost > self._credit:
                return
            self._credit -= cost
            for item in self._held.pop(request):
                self._answers.add(item, _SPOOLED)
