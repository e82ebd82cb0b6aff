"""Every metric, once, as data. Labels take their values from closed sets only."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway import shared_metrics
from gateway.denials import Reason
from gateway.model import Fault, Outcome
from gateway.tally import Tally, tell
from gateway.watch import UNWATCHED, Running, Step, Watch

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside every counter, which says when the process began

PREFIX = "gateway_"
_SAMPLED = 16  # one request in so many has its steps timed: a histogram for each event would be seen
_UP_TO_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0)
_STEP_SECONDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter, or a histogram when it has ``buckets`` (upper bounds in seconds)."""

    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A gauge; ``together`` says how the workers' values make one."""

    meaning: str
    together: Literal["livesum", "livemin", "livemax"] = "livesum"


COUNTED = {
    "events": Counted(
        "Events by the system that sent them, how they ended, and the problem type of the answer if any",
        ("system", "outcome", "reason"),
    ),
    "dead_letters": Counted(
        "Refused requests by whose fault it is, and whether they could be kept", ("class", "outcome")
    ),
    "duplicates": Counted(
        "Events answered with the first receipt of the same event, and not published again"
    ),
    "authentication_failures": Counted(
        "Requests whose sender is not known, or may not send what they hold, by the reason", ("reason",)
    ),
    "credential_uses": Counted(
        "Requests that a credential has proved to come from its principal", ("principal", "credential")
    ),
    "control_messages": Counted(
        "Messages of senders that are no events, such as a test or a request to confirm an address",
        ("system", "kind"),
    ),
    "producer_rebuilds": Counted("Kafka producers that were stuck and replaced"),
    "validator_disagreements": Counted(
        "Documents that one validator refuses and the other does not; more than none is a bug"
    ),
    "request_seconds": Counted(
        "From the arrival of a request to its answer, by the status", ("status",), _UP_TO_SECONDS
    ),
    "ack_seconds": Counted(
        "From handing a request's records over until they are durable or given up, by how they ended",
        ("outcome",),
        _UP_TO_SECONDS,
    ),
    "step_seconds": Counted(
        f"Steps on the path of an event, in one request of {_SAMPLED}", ("step",), _STEP_SECONDS
    ),
}

# What a publisher on Kafka shows; those of the spool only with one.
SHOWN = {
    "kafka_up": Shown("1 while Kafka acknowledges, as far as is known", "livemin"),
    "missing_topics": Shown("Declared topics that Kafka does not have", "livemax"),
    "in_flight_bytes": Shown("Bytes of the records that Kafka has not acknowledged yet"),
    "spool_records": Shown("Events that wait in the spool for Kafka"),
    "spool_bytes": Shown("Bytes of the events that wait in the spool"),
    "spool_max_bytes": Shown("Bytes at which the spool is full"),
    "spool_oldest_seconds": Shown("How long the oldest event has waited in the spool", "livemax"),
    "spool_parked": Shown("Events that Kafka refuses for good, kept in the spool until they are replayed"),
    "spool_refuses": Shown(
        "1 while the spool takes nothing: disk refuses or hangs, or it is full", "livemax"
    ),
}


class Metrics:
    """The metrics of one process, or of all workers together."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, folder: Path | None = None) -> None:
        """Declare them in a registry of their own.

        ``folder`` is where all workers write them, so that any of them tells of all; None with one worker.
        """
        self._folder = folder
        shared_metrics.write_to(folder)
        self._registry = CollectorRegistry()
        self._events = self._counter("events")
        self._dead_letters = self._counter("dead_letters")
        self._duplicates = self._counter("duplicates")
        self._denials = self._counter("authentication_failures")
        self._credential_uses = self._counter("credential_uses")
        self._controls = self._counter("control_messages")
        self._rebuilds = self._counter("producer_rebuilds")
        self._disagreements = self._counter("validator_disagreements")
        self._requests = self._histogram("request_seconds")
        self._acks = self._histogram("ack_seconds")
        self._steps = self._histogram("step_seconds")
        self._turns = itertools.count()
        self._tally = Tally()
        # What only the files hold is told at once: the other workers read it there.
        self._note = self._tally.note if folder is None else tell
        # Finding a series by its labels takes longer than counting: those of every request are kept here.
        self._ended: Callable[[str, Outcome, str], Counter] = cache(self._events.labels)
        self._answered: Callable[[int], Histogram] = cache(self._requests.labels)
        self._acknowledged: Callable[[Outcome], Histogram] = cache(self._acks.labels)
        self._used: Callable[[str, str], Counter] = cache(self._credential_uses.labels)

    def count(self, system: str, outcome: Outcome, reason: str = "", events: int = 1) -> None:
        """Count events that have ended. ``system`` is one of the systems, or ``unknown``.

        ``reason`` is the problem type of the answer; empty when there is none.
        """
        self._note(self._ended(system, outcome, reason), events)

    def watch(self) -> Watch:
        """Give what times the steps of a request: really, of one in sixteen."""
        return UNWATCHED if next(self._turns) % _SAMPLED else Running(self._time_step)

    def _time_step(self, step: Step, seconds: float) -> None:
        self._steps.labels(step.value).observe(seconds)

    def time_request(self, seconds: float, status: int) -> None:
        """Note how long a request took to answer."""
        self._note(self._answered(status), seconds)

    def time_ack(self, seconds: float, outcome: Outcome) -> None:
        """Note how long it took until the records of a request were durable, or given up."""
        self._note(self._acknowledged(outcome), seconds)

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
        self._note(self._used(principal, credential), 1)

    def count_control(self, system: str, kind: str) -> None:
        """Count a message that is no event; ``kind`` is one that its source declares."""
        self._controls.labels(system, kind).inc()

    def count_disagreement(self) -> None:
        """Count a document that was refused although the reference finds nothing wrong with it."""
        self._disagreements.inc()

    def count_rebuild(self) -> None:
        """Count a producer that was replaced."""
        self._rebuilds.inc()

    def show(self, gauges: Callable[[], Mapping[str, float]]) -> None:
        """Show what ``gauges`` gives whenever it is asked; the names must be among those of ``SHOWN``.

        To the other workers it is shown once a second.
        """
        made = {
            name: Gauge(
                f"{PREFIX}{name}",
                SHOWN[name].meaning,
                multiprocess_mode=SHOWN[name].together,
                registry=self._registry,
            )
            for name in gauges()
        }
        if self._folder is None:
            for name, gauge in made.items():
                gauge.set_function(partial(_value, gauges, name))
        else:
            shared_metrics.repeat(lambda: _set(made, gauges()))

    def exposition(self) -> bytes:
        """Give the Prometheus text format; what a worker that ended has counted is in it."""
        self._tally.add_up()
        if self._folder is None:
            return generate_latest(self._registry)
        return shared_metrics.exposition(self._folder)

    def _counter(self, name: str) -> Counter:
        declared = COUNTED[name]
        return Counter(f"{PREFIX}{name}", declared.meaning, declared.labels, registry=self._registry)

    def _histogram(self, name: str) -> Histogram:
        declared = COUNTED[name]
        return Histogram(
            f"{PREFIX}{name}",
            declared.meaning,
            declared.labels,
            buckets=declared.buckets,
            registry=self._registry,
        )


def series() -> dict[str, frozenset[str]]:
    """Give every series that Prometheus can read from here, and its labels."""
    found: dict[str, frozenset[str]] = {f"{PREFIX}{name}": frozenset() for name in SHOWN}
    for name, counted in COUNTED.items():
        labels = frozenset(counted.labels)
        if counted.buckets:
            found[f"{PREFIX}{name}_bucket"] = labels | {"le"}
            found |= {f"{PREFIX}{name}_{part}": labels for part in ("sum", "count")}
        else:
            found[f"{PREFIX}{name}_total"] = labels
    return found


def _value(gauges: Callable[[], Mapping[str, float]], name: str) -> float:
    return gauges()[name]


def _set(made: Mapping[str, Gauge], values: Mapping[str, float]) -> None:
    for name, gauge in made.items():
        gauge.set(values[name])
