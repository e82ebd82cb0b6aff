"""Every metric, once. Labels take their values from closed sets only."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.model import Outcome


class Metrics:
    """The metrics of one process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        """Declare them in a registry of their own."""
        self._registry = CollectorRegistry()
        self._events = Counter(
            "gateway_events",
            "Events by the system that sent them and how they ended",
            ["system", "outcome"],
            registry=self._registry,
        )

    def count(self, system: str, outcome: Outcome) -> None:
        """Count an event that has ended. ``system`` is one of the systems, or ``unknown``."""
        self._events.labels(system=system, outcome=outcome.value).inc()

    def exposition(self) -> bytes:
        """Give the Prometheus text format."""
        return generate_latest(self._registry)
