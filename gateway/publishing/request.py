"""The records of one request on their way: one future for all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from msgspec import Struct

from gateway.errors import Failure, GatewayError, Refusal
from gateway.model import Outcome, Placement, Record
from gateway.promises import Promise
from gateway.publishing.client import End
from gateway.publishing.spool import RowId


class Request:
    """Collects the end of each record; the first end of a record counts."""

    def __init__(self, records: Sequence[Record]) -> None:
        """The future is settled at once when there are no records."""
        self.records = tuple(records)
        self.patient = False  # an answer may be held back so that a backlog shrinks
        self.future: Promise[tuple[Placement, ...]] = Promise()
        self._ends: list[End | None] = [None] * len(records)
        self._open = len(records)
        self._lock = threading.Lock()
        if not records:
            self.future.succeed(())

    def end(self, ends: Iterable[tuple[int, End]]) -> None:
        """Note how records ended; the last one settles the future, which changes no more."""
        with self._lock:
            if not self._open:
                return
            for index, end in ends:
                if self._ends[index] is None:
                    self._ends[index] = end
                    self._open -= 1
            if self._open:
                return
        self._settle([end for end in self._ends if end is not None])

    def _settle(self, ends: Sequence[End]) -> None:
        """Give the placements, or the worst error: a failure counts more than a refusal."""
        errors = [end for end in ends if isinstance(end, GatewayError)]
        if not errors:
            self.future.succeed(tuple(ends))  # type: ignore[arg-type]  # what is no error is a placement
            return
        worst = next((error for error in errors if isinstance(error, Failure)), errors[0])
        if isinstance(worst, Refusal) and len(ends) > 1:  # only a batch has more than one
            worst.problems = [
                replace(problem, pointer=f"/{index}{problem.pointer}")
                for index, end in enumerate(ends)
                if isinstance(end, Refusal)
                for problem in end.problems
            ]
        worst.outcomes = tuple(map(_outcome, ends))
        self.future.fail(worst)


class Item(Struct, eq=False):
    """A record on its way. One that was read back from the spool belongs to no request any more.

    ``with_client``: the client has it and will tell its end; ``spooled``: it is in the spool, or on its way
    there; ``row``: where, once it is synced; ``over``: it was acknowledged, refused or given up, and nothing
    more is done about it.
    """

    record: Record
    request: Request | None = None
    index: int = 0
    with_client: bool = False
    spooled: bool = False
    row: RowId | None = None
    over: bool = False

    @property
    def waits(self) -> bool:
        """Whether its sender still depends on the client alone."""
        return not (self.spooled or self.over)


def _outcome(end: End) -> Outcome:
    if isinstance(end, Placement):
        return end.outcome
    return Outcome.FAILED if isinstance(end, Failure) else Outcome.REJECTED
