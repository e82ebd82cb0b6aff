"""What refuses events together: a sender that may not send them, a group or batch with a fault in it."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.denials import Forbidden
from gateway.errors import BatchInvalid, Refusal, TooLarge
from gateway.model import Document, Event, Fault, Message, Problem
from gateway.systems import UNKNOWN

MAX_PROBLEMS = 1_000


def enough(refusals: Sequence[Refusal]) -> bool:
    """To explain a fault costs far more than to take an event: a batch full of faults is read no further.

    Nor is one with an event that its sender may not send.
    """
    problems = sum(len(refusal.problems) for refusal in refusals)
    return problems >= MAX_PROBLEMS or isinstance(refusals[-1], Forbidden)


def permit(message: Message, system: str, pointer: str = "") -> None:
    """Raise Forbidden unless whoever sent the message may send events of a system."""
    if message.systems is not None and system not in message.systems:
        told = f"{message.principal} may not send events of the system {system}"
        refusal = Forbidden(told, [Problem(pointer, "forbidden", told)])
        refusal.systems = (system,)
        raise refusal


def crowd(document: Document, size: int, most: int) -> Refusal:
    """Refuse a group that has more events than a message may hold."""
    told = f"a request holds {most} events at most; with the {size} of this document it has more"
    return TooLarge(told, [Problem(document.pointer, "size", told)])


def swollen(document: Document, most: int) -> Refusal:
    """Refuse a group whose events share so much that together they would never be taken."""
    told = f"the events of this group, each with what they share, have more than {most} bytes together"
    return TooLarge(told, [Problem(document.pointer, "size", told)])


def together(refusals: Sequence[Refusal]) -> Refusal:
    """Give the first of the refusals of one group, with the problems of all."""
    problems = [problem for refusal in refusals for problem in refusal.problems]
    first = refusals[0]
    first.problems = tuple(problems[:MAX_PROBLEMS])
    return first


def batch(refusals: Sequence[Refusal], good: Sequence[Event], *, read: int, members: int) -> Refusal:
    """Refuse a batch of so many ``members``, of which some were ``read`` and ``good`` events found."""
    among = f"{members}" if read == members else f"the first {read} of {members}"
    detail = f"{len(refusals)} of {among} events of the batch are refused, so none was published"
    refusal: Refusal = BatchInvalid(detail, [problem for refused in refusals for problem in refused.problems])
    if isinstance(last := refusals[-1], Forbidden):
        refusal = Forbidden(last.detail, last.problems)
    elif all(refused.fault is Fault.MAPPING for refused in refusals):
        refusal.fault = Fault.MAPPING
    refusal.systems = (
        *(system for refused in refusals for system in refused.systems),
        *(event.system for event in good),
        *[UNKNOWN] * (members - read),
    )
    return refusal
