"""What each stage of the path costs: CPU microseconds an event, in one process, without HTTP and Kafka.

``python -m bench.stages [seconds]``. Every row is measured in turn, over several rounds, and the median is
shown, so that a noisy neighbour meets all rows alike. ``baseline`` is the same work done competently with the
named libraries alone: the CloudEvents SDK, a compiled ``jsonschema``, ``json``.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from gateway import app, envelope, settings, strict_json
from gateway.model import Health, Message, Outcome, Placement, Receipt
from gateway.promises import Promise
from gateway.schemas import CLOUDEVENT
from gateway.sources.reading import BATCHED, STRUCTURED
from gateway.web import answers
from gateway.web.routes import INTAKES

SIZES = (1, 10, 100, 1_000, 10_000)
_SCHEMA = "cdevents/dev.cdevents.incident.detected.0.3.0.schema.json"
_FEWEST_EVENTS = 200  # in one timing, so that a tick of the clock does not show
_RECEIVED = datetime(2026, 11, 11, 13, 52, 24, 123456, tzinfo=UTC)

Row = tuple[str, Callable[[], object], int]


class Nowhere:
    """A publisher that says yes at once."""

    def start(self) -> None: ...

    def publish(self, records: Any, haste: object = None) -> Promise[tuple[Placement, ...]]:
        done: Promise[tuple[Placement, ...]] = Promise()
        done.succeed(tuple([Placement(Outcome.PUBLISHED, 0, n) for n in range(len(records))]))
        return done

    def healthy(self) -> Health:
        return Health(True, "nowhere")

    def close(self) -> None: ...


def event(number: int = 0) -> dict[str, Any]:
    """A structured CloudEvent of about 1 kB that holds a CDEvent."""
    id, source = f"271069a8-fc18-44f1-b38f-{number:012d}", "/monitoring/eu-west-1/prometheus"
    type, time_ = "dev.cdevents.incident.detected.0.3.0", "2026-11-11T13:52:20.079747Z"
    data: dict[str, Any] = {
        "context": {
            "specversion": "0.5.1",
            "id": id,
            "source": source,
            "type": type,
            "timestamp": time_,
            "schemaUri": "https://cdevents.dev/0.5.1/schema/incident-detected-event",
            "chainId": "7a1c2a4e-5f5a-4b7c-9a49-1f0d9f1f2f3a",
        },
        "subject": {
            "id": f"checkout-latency-{number % 1000}",
            "source": source,
            "content": {
                "description": "p99 latency of checkout is above 2 s for 5 minutes in production, eu-west-1",
                "environment": {"id": "production-eu-west-1", "source": "/platform/environments"},
                "service": {"id": "checkout-service", "source": "/platform/services"},
                "artifactId": "pkg:oci/checkout@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e",
            },
        },
    }
    outer = {"specversion": "1.0", "id": id, "source": source, "type": type, "time": time_}
    subject = {"subject": data["subject"]["id"], "datacontenttype": "application/json"}
    return outer | subject | {"data": data}


def text(document: Any) -> bytes:
    """As most senders write it: no white space."""
    return json.dumps(document, separators=(",", ":")).encode()


def message(body: bytes, content_type: str) -> Message:
    """A request as the pipeline gets it."""
    headers = {"host": "gateway", "content-type": content_type, "content-length": str(len(body))}
    return Message(headers=headers, body=body, id="9d3c1a6e-0d0f-4c9b-9a53-6a5c6d2a4b10", received=_RECEIVED)


_LARGE = {"GATEWAY_MAX_BODY_BYTES": "16777216", "GATEWAY_MAX_BATCH_EVENTS": "10000"}
GATEWAY = app.build(settings.load(_LARGE), Nowhere())
PIPELINE, STORE, DOOR = GATEWAY.pipeline, GATEWAY.schemas, GATEWAY.door
INTAKE = next(intake for intake in INTAKES if intake.rule == "/events")
PLACED = Placement(Outcome.PUBLISHED, 0, 123_456)


def taken(body: bytes, content_type: str) -> Callable[[], object]:
    """From a body at the door to the answer's body, the arrival and the metrics included."""
    headers = {"host": "gateway", "content-type": content_type, "content-length": str(len(body))}

    def take() -> object:
        arrival = DOOR.arrive(INTAKE, "/events", headers)
        reading = DOOR.body(arrival)
        reading.feed(body)
        return DOOR.take(arrival, reading).result()

    return take


def ours(body: bytes, content_type: str) -> Callable[[], object]:
    """From bytes to records, and from placements to the body of the answer."""
    sent = message(body, content_type)

    def path() -> bytes:
        events = PIPELINE.prepare(sent).events
        return answers.receipts(tuple([Receipt(event, PLACED) for event in events])).body

    return path


def stages(size: int) -> list[Row]:
    """The steps of the path alone, for a batch of one size."""
    body = text([event(n) for n in range(size)])
    sent, cut = message(body, BATCHED), strict_json.items(body) or []
    documents: list[Any] = list(PIPELINE.reader.read(sent).members)
    source = PIPELINE.sources.recognise(documents[0])
    both = [(PIPELINE.normalise(source, d, _SCHEMA), d.payload) for d in documents]
    receipts = tuple([Receipt(event, PLACED) for event in PIPELINE.prepare(sent).events])
    return [
        ("cut", lambda: strict_json.items(body), size),
        ("strict JSON", lambda: [strict_json.read(one) for one in cut], size),
        ("read (JSON, CloudEvents)", lambda: list(PIPELINE.reader.read(sent).members), size),
        ("recognise", lambda: [PIPELINE.sources.recognise(document) for document in documents], size),
        ("validate", lambda: [PIPELINE.validate(source, document) for document in documents], size),
        ("  the decider alone", lambda: [STORE.is_valid(_SCHEMA, d.data) for d in documents], size),
        ("normalise", lambda: [PIPELINE.normalise(source, d, _SCHEMA) for d in documents], size),
        ("envelope as JSON", lambda: [envelope.to_json(e, p) for e, p in both], size),
        ("route (with the envelope)", lambda: [PIPELINE.router.route(e, p) for e, p in both], size),
        ("answer", lambda: answers.receipts(receipts).body, size),
    ]


def baseline() -> Callable[[], object]:
    """The same, competently: the SDK reads, a compiled validator checks, ``json`` writes, the SDK builds."""
    body, headers = text(event()), {"content-type": STRUCTURED}
    schemas = [json.loads(written) for written in STORE.texts.values()]
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas
    )
    of_event, of_cloudevent = (
        Draft202012Validator(json.loads(STORE.texts[name]), registry=registry, format_checker=FormatChecker())
        for name in (_SCHEMA, CLOUDEVENT)
    )

    def path() -> object:
        read = http.from_http_event(http.HTTPMessage(headers, body))
        data: Any = read.get_data()
        of_cloudevent.validate(json.loads(body))
        of_event.validate(data)
        subject, (_, _, noun, predicate, *_) = data["subject"], data["context"]["type"].split(".")
        made = {
            "version": "1",
            "subject": {"type": noun, "id": subject["id"], "source": subject.get("source")},
            "predicate": predicate,
            "time": data["context"]["timestamp"],
            "receivedTime": _RECEIVED.isoformat(),
            "origin": {"id": read.get_id(), "type": read.get_type(), "source": read.get_source()},
            "details": subject["content"],
            "payload": data,
        }
        attributes = {
            "specversion": "1.0",
            "id": read.get_id(),
            "source": read.get_source(),
            "type": f"dev.cloudevents-gateway.{noun}.{predicate}.v1",
            "time": read.get_time(),
            "datacontenttype": "application/json",
        }
        record = kafka.to_binary(CloudEvent(attributes, json.dumps(made).encode()), JSONFormat())
        told = {"id": read.get_id(), "key": f"{noun}/{subject['id']}", "partition": 0, "offset": 1}
        return record, json.dumps({"events": [told]}).encode()

    return path


def rows() -> list[Row]:
    """Everything that is measured."""
    broken = event()
    broken["data"]["subject"]["content"]["environment"] = "production"
    crowded = event()
    crowded["data"]["subject"] |= dict.fromkeys((f"m{n}" for n in range(50)), 1)
    single, hundred = text(event()), [event(n) for n in range(100)]
    found: list[Row] = [("baseline: single", baseline(), 1)]
    found += [
        ("path: single", ours(single, STRUCTURED), 1),
        *((f"path: batch of {n:,}", ours(text([event(i) for i in range(n)]), BATCHED), n) for n in SIZES),
        ("path: spaced single", ours(json.dumps(event()).encode(), STRUCTURED), 1),
        (
            "path: spaced batch of 100",
            ours(json.dumps(hundred).encode(), BATCHED),
            100,
        ),
        ("door: single", taken(single, STRUCTURED), 1),
        ("door: batch of 100", taken(text(hundred), BATCHED), 100),
        ("door: single, one fault", taken(text(broken), STRUCTURED), 1),
        ("door: single, fifty faults", taken(text(crowded), STRUCTURED), 1),
        ("door: single, no JSON", taken(single[:-9], STRUCTURED), 1),
        ("door: batch of 100, one fault each", taken(text([broken] * 100), BATCHED), 100),
    ]
    return found + [(f"batch of 100: {name}", run, events) for name, run, events in stages(100)]


def measure(found: list[Row], seconds: float) -> dict[str, float]:
    """Give the median CPU microseconds an event of every row; the rows are run in turn."""
    repeats = {name: max(1, _FEWEST_EVENTS // events) for name, _, events in found}
    samples: dict[str, list[float]] = {name: [] for name, _, _ in found}
    end = time.monotonic() + seconds
    while time.monotonic() < end or not all(samples.values()):
        for name, run, events in found:
            begun = time.process_time_ns()
            for _ in range(repeats[name]):
                run()
            samples[name].append((time.process_time_ns() - begun) / 1_000 / repeats[name] / events)
    return {name: statistics.median(times) for name, times in samples.items()}


def main() -> None:
    """Print the table."""
    costs = measure(rows(), float(sys.argv[1]) if len(sys.argv) > 1 else 20)
    whole = costs["baseline: single"]
    print(f"{'us of CPU an event':<44}{'us':>9}{'baseline is':>13}")
    for name, cost in costs.items():
        print(f"{name:<44}{cost:>9.2f}{whole / cost:>12.0f}x")


if __name__ == "__main__":
    main()
