"""How the events of a request ended, from what its publisher answered."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from gateway.errors import GatewayError, InternalError, Refusal
from gateway.model import Outcome, Placement

_HARDEST_LAST = (Outcome.PUBLISHED, Outcome.SPOOLED, Outcome.REJECTED, Outcome.FAILED)


def outcomes(done: Future[tuple[Placement, ...]], events: int) -> Sequence[Outcome]:
    """Give one outcome an event, in order."""
    error = done.exception()
    if error is None:
        return [placement.outcome for placement in done.result()]
    alike = Outcome.REJECTED if isinstance(error, Refusal) else Outcome.FAILED
    return (isinstance(error, GatewayError) and error.outcomes) or [alike] * events


def hardest(ended: Sequence[Outcome]) -> Outcome:
    """Give the one outcome that stands for all of a request."""
    return max(ended, key=_HARDEST_LAST.index)


def reason(outcome: Outcome, error: BaseException | None) -> str:
    """Give the problem type that the sender is answered with, for an event that ended so."""
    if outcome in (Outcome.PUBLISHED, Outcome.SPOOLED):
        return ""
    return error.type if isinstance(error, GatewayError) else InternalError.type
