"""Every metric, once. Labels take their values from closed sets only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.denials import Reason
from gateway.model import Fault, Outcome

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside every counter, which says when the process began

# What a publisher with a spool shows.
GAUGES = {
    "kafka_up": "1 while Kafka acknowledges, as far as is known",
    "spool_records": "Events that wait in the spool for Kafka",
    "spool_bytes": "Bytes of the events that wait in the spool",
    "spool_oldest_seconds": "How long the oldest event has waited in the spool",
    "spool_parked": "Events that Kafka refuses for good, kept in the spool until they are replayed",
}


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
        self._dead_letters = Counter(
            "gateway_dead_letters",
            "Refused requests by whose fault it is, and whether they could be kept",
            ["class", "outcome"],
            registry=self._registry,
        )
        self._duplicates = Counter(
            "gateway_duplicates",
            "Events answered with the first receipt of the same event, and not published again",
            registry=self._registry,
        )
        self._denials = Counter(
            "gateway_authentication_failures",
            "Requests whose sender is not known, or may not send what they hold, by the reason",
            ["reason"],
            registry=self._registry,
        )
        self._credential_uses = Counter(
            "gateway_credential_uses",
            "Requests that a credential has proved to come from its principal",
            ["principal", "credential"],
            registry=self._registry,
        )
        self._rebuilds = Counter(
            "gateway_producer_rebuilds",
            "Kafka producers that were stuck and replaced",
            registry=self._registry,
        )

        self._disagreements = Counter(
            "gateway_validator_disagreements",
            "Documents that one validator refuses and the other does not; more than none is a bug",
            registry=self._registry,
        )

    def count(self, system: str, outcome: Outcome, events: int = 1) -> None:
        """Count events that have ended. ``system`` is one of the systems, or ``unknown``."""
        self._events.labels(system, outcome.value).inc(events)

    def count_dead_letter(self, fault: Fault, *, kept: bool) -> None:
        """Count a dead letter that was stored, or could not be."""
        self._dead_letters.labels(fault.value, "kept" if kept else "lost").inc()

    def count_duplicates(self, events: int) -> None:
        """Count events that were seen before; each is counted under the outcome of its first receipt too."""
        self._duplicates.inc(events)

    def count_denial(self, reason: Reason) -> None:
        """Count a request that was turned away because of who sent it."""
        self._denials.labels(reason.value).inc()

    def count_use(self, principal: str, credential: str) -> None:
        """Count a use of a credential, so that an old one is seen to be out of use."""
        self._credential_uses.labels(principal, credential).inc()

    def count_disagreement(self) -> None:
        """Count a document that was refused although the reference finds nothing wrong with it."""
        self._disagreements.inc()

    def count_rebuild(self) -> None:
        """Count a producer that was replaced."""
        self._rebuilds.inc()

    def show(self, gauges: Callable[[], Mapping[str, float]]) -> None:
        """Show what ``gauges`` gives whenever it is asked; the names must be those of ``GAUGES``."""
        for name, meaning in GAUGES.items():
            gauge = Gauge(f"gateway_{name}", meaning, registry=self._registry)
            gauge.set_function(partial(_value, gauges, name))

    def exposition(self) -> bytes:
        """Give the Prometheus text format."""
        return generate_latest(self._registry)


def _value(gauges: Callable[[], Mapping[str, float]], name: str) -> float:
    return gauges()[name]
