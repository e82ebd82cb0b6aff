"""The paths that take events, once, as data: the application, the handshake and the documentation use it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gateway.systems import SYSTEMS

_RESOURCE = "<resource>"


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


class Routes:
    """Finds the way in of a request, for a door that is not Flask's."""

    def __init__(self, served: Iterable[Intake]) -> None:
        self._whole = {(intake.method, intake.rule): intake for intake in served}
        self._open = [
            (intake.method, intake.rule.removesuffix(_RESOURCE), intake)
            for intake in self._whole.values()
            if intake.rule.endswith(_RESOURCE)
        ]

    def find(self, method: str, path: str) -> tuple[Intake, str | None] | None:
        """Give the intake and the id in the path; None when Flask has to say what is wrong.

        ``path`` with its escapes undone, as Flask matches it.
        """
        if "<" not in path and (intake := self._whole.get((method, path))):
            return intake, None
        for known, front, intake in self._open:
            resource = path[len(front) :]
            if method == known and path.startswith(front) and resource and "/" not in resource:
                return intake, resource
        return None
