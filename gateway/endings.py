"""How the events of a message ended: every one in exactly one outcome, counted once, here."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from gateway.errors import GatewayError, InternalError, Refusal
from gateway.keeper import Keeper, Taken
from gateway.metrics import Metrics
from gateway.model import Event, Fault, Message, Outcome, Placement, Receipt
from gateway.notices import Notices
from gateway.promises import Promise
from gateway.sources.source import Control
from gateway.systems import UNKNOWN

logger = logging.getLogger(__name__)

_HARDEST_LAST = (Outcome.PUBLISHED, Outcome.SPOOLED, Outcome.REJECTED, Outcome.FAILED)


class Endings:
    """Gives what a message comes to; what was refused is kept as a dead letter."""

    def __init__(self, keeper: Keeper, metrics: Metrics, notices: Notices) -> None:
        self._keeper = keeper
        self._notices = notices
        self._metrics = metrics

    def refused(self, message: Message, refusal: Refusal) -> Promise[Taken]:
        """End a message that is refused whole."""
        self._count(refusal.systems, Outcome.REJECTED, refusal)
        return self._keeper.refuse(message, refusal)

    def failed(self, message: Message, events: Sequence[Event] = ()) -> Promise[Taken]:
        """End a message for the exception that is being handled: a bug. Without events it is kept."""
        taken: Promise[Taken] = Promise()
        bug = InternalError("the gateway failed on this request; its id is in the log")
        self._count([event.system for event in events] or [UNKNOWN], Outcome.FAILED, bug)
        logger.exception("a message could not be taken", extra={"request": message.id})
        if not events:
            self._keeper.keep(message, bug)
        taken.fail(bug)
        return taken

    def told(self, message: Message, control: Control) -> None:
        """Count and log what is no event."""
        self._metrics.count_control(control.system, control.kind)
        told = {"request": message.id, "system": control.system, "kind": control.kind, "told": control.told}
        logger.info("control message", extra=told)
        if control.asks:
            self._notices.keep(message, control)

    def when(
        self,
        published: Promise[tuple[Placement, ...]],
        message: Message,
        events: tuple[Event, ...],
        began: float,
    ) -> Promise[Taken]:
        """Give the receipts, or what stands in their way, once all events are published.

        ``began`` is when they were handed over, by ``time.perf_counter``.
        """
        taken: Promise[Taken] = Promise()
        published.then(lambda done: self._finish(message, events, done, taken, began))
        return taken

    def _finish(
        self,
        message: Message,
        events: tuple[Event, ...],
        done: Promise[tuple[Placement, ...]],
        taken: Promise[Taken],
        began: float,
    ) -> None:
        error = done.exception()
        systems = [event.system for event in events]
        outcomes = _outcomes(done, len(events))
        ended: dict[tuple[str, Outcome], int] = {}  # a Counter takes as long to make as all else here
        for pair in zip(systems, outcomes, strict=True):
            ended[pair] = ended.get(pair, 0) + 1
        for (system, outcome), number in ended.items():
            self._metrics.count(system, outcome, _reason(outcome, error), number)
        if outcomes:
            self._metrics.time_ack(time.perf_counter() - began, max(outcomes, key=_HARDEST_LAST.index))
        if isinstance(error, Refusal):
            error.fault, error.systems = Fault.BROKER, tuple(systems)
            taken.follow(self._keeper.refuse(message, error))
        elif error:
            taken.fail(error)
        else:
            taken.succeed(tuple(map(Receipt, events, done.result())))

    def _count(self, systems: Iterable[str], outcome: Outcome, error: GatewayError) -> None:
        for system, events in Counter(systems).items():
            self._metrics.count(system, outcome, _reason(outcome, error), events)


def _outcomes(done: Promise[tuple[Placement, ...]], events: int) -> Sequence[Outcome]:
    """One outcome an event, in order."""
    error = done.exception()
    if error is None:
        return [placement.outcome for placement in done.result()]
    alike = Outcome.REJECTED if isinstance(error, Refusal) else Outcome.FAILED
    return (isinstance(error, GatewayError) and error.outcomes) or [alike] * events


def _reason(outcome: Outcome, error: BaseException | None) -> str:
    """The problem type that the sender is answered with, for an event that ended so."""
    if outcome in (Outcome.PUBLISHED, Outcome.SPOOLED):
        return ""
    return error.type if isinstance(error, GatewayError) else InternalError.type
