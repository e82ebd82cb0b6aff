"""The paths that take events, once, as data: the application, the handshake and the documentation use it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.systems import SYSTEMS


@dataclass(frozen=True, slots=True)
class Intake:
    """One way in. ``rule`` is a URL rule in which ``<resource>`` is the id of a known thing."""

    method: str
    rule: str
    system: str | None = None
    update: bool = False

    @property
    def endpoint(self) -> str:
        """A name of its own."""
        return f"{self.method} {self.rule}"


# What some systems have besides POST /events/<system>.
MORE = (
    Intake("PUT", "/events/tracker", "tracker", update=True),
    Intake("PATCH", "/events/incidents/<resource>", "incidents", update=True),
    # Tracker's own path, so that its clients need only another host name
    Intake("POST", "/api/v1alpha1/event", "tracker"),
    Intake("PUT", "/api/v1alpha1/event", "tracker", update=True),
)


def intakes(systems: Collection[str]) -> list[Intake]:
    """Give the ways in that lead to systems which are switched on."""
    return [
        Intake("POST", "/events"),
        *(Intake("POST", f"/events/{system}", system) for system in systems),
        *(intake for intake in MORE if intake.system in systems),
    ]


def methods(rule: str, systems: Collection[str]) -> list[str]:
    """Give the methods that a rule takes events of these systems by."""
    return [intake.method for intake in intakes(systems) if intake.rule == rule]


INTAKES = tuple(intakes(SYSTEMS))
