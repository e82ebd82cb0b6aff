"""Senders that wait less than others: how long Kafka is waited for on their behalf, or whether at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Haste:
    """How a request is answered in time.

    ``budget`` is how long Kafka is waited for, in seconds; None for as long as everybody waits. ``spool``:
    not at all, where there is a spool.
    """

    budget: float | None = None
    spool: bool = False


NO_HASTE = Haste()


class Hastes:
    """The haste of each system that has one."""

    def __init__(self, of_system: Mapping[str, Haste]) -> None:
        """The budgets must be shorter than that of everybody."""
        self._of_system = dict(of_system)

    def of(self, systems: Iterable[str]) -> Haste:
        """Give that of a request with events of these systems: the greatest."""
        if not self._of_system:
            return NO_HASTE
        found = [haste for system in set(systems) if (haste := self._of_system.get(system))]
        if not found:
            return NO_HASTE
        budgets = [haste.budget for haste in found if haste.budget is not None]
        return Haste(min(budgets, default=None), any(haste.spool for haste in found))
