"""The events that are posted, each id used once: CDEvents in structured CloudEvents, or alerts in a group."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# load.lua puts the run and the number of the request here, which takes as many characters.
ID_MARK = "@" * 13
EVENT_TYPE = "dev.cdevents.incident.detected.0.3.0"
TOPIC = "events.incident.detected"
# Bodies of a load that differ in their subjects, so that records spread over keys and partitions.
_SUBJECTS = 512
_TIME = "2026-02-03T04:05:06.789Z"


@dataclass(frozen=True, slots=True)
class Load:
    """What is posted: ``events`` in each request, from so many connections at once."""

    name: str
    title: str
    connections: int
    events: int = 1
    valid: bool = True
    # Connections that post invalid events meanwhile.
    flood: int = 0
    # Alerts of one group of Alertmanager, not CloudEvents.
    grouped: bool = False

    @property
    def batched(self) -> bool:
        return self.events > 1

    @property
    def content_type(self) -> str:
        if self.grouped:
            return "application/json"
        return f"application/cloudevents{'-batch' if self.batched else ''}+json"


SINGLE = Load("single", "single events, 32 connections", 32)
BATCH = Load("batch", "CloudEvents batches of 100, 8 connections", 8, events=100)
REFUSED = Load("refused", "invalid events only, 32 connections", 32, valid=False)
MIX = Load("mix", "single events, 16 connections, beside 16 with invalid ones", 16, flood=16)
GROUP = Load("group", "Alertmanager groups of 100 alerts, 8 connections", 8, events=100, grouped=True)
LOADS = (SINGLE, BATCH, REFUSED, MIX, GROUP)


def bodies(load: Load) -> Iterator[str]:
    """Give the bodies of a load, one line each, with ``ID_MARK`` where the request's number belongs."""
    for first in range(0, max(_SUBJECTS, load.events), load.events):
        if load.grouped:
            yield _group(load.events)
            continue
        events = [_event(first + index, index, load) for index in range(load.events)]
        yield f"[{','.join(events)}]" if load.batched else events[0]


def event_bytes(load: Load) -> int:
    """Give the length of one event; all of a load have the same."""
    return len(_event(0, 0, load))


def _event(subject: int, index: int, load: Load) -> str:
    """One structured CloudEvent as JSON, about 1,067 bytes long. An invalid one has no environment."""
    id = f"{ID_MARK}-{index:05d}" if load.batched else ID_MARK
    name = f"checkout-latency-{subject:05d}"
    source = "/monitoring/eu-west-1/prometheus"
    event = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": EVENT_TYPE,
        "subject": name,
        "time": _TIME,
        "datacontenttype": "application/json",
        "data": {
            "context": {
                "specversion": "0.5.1",
                "id": id,
                "source": source,
                "type": EVENT_TYPE,
                "timestamp": _TIME,
                "chainId": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            },
            "subject": {"id": name, "source": "/services/checkout", "content": _content(load.valid)},
        },
    }
    return json.dumps(event, separators=(",", ":"))


def _group(alerts: int) -> str:
    """One notification of Alertmanager; an alert's fingerprint is its subject, and part of its id."""
    found = [
        {
            "status": "firing",
            "labels": {
                "alertname": "CheckoutLatency",
                "severity": "critical",
                "service": "checkout",
                "environment": "production",
                "instance": f"10.0.{index // 100}.{index % 100}:9100",
                "job": "node",
            },
            "annotations": {
                "description": "The 99th percentile of the checkout's latency is above 2 s for five minutes.",
                "runbook_url": "https://runbooks.example.com/checkout/latency",
            },
            "startsAt": _TIME,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://prometheus.example.com/graph?g0.expr=latency",
            "fingerprint": f"{ID_MARK}-{index:05d}",
        }
        for index in range(alerts)
    ]
    group = {
        "version": "4",
        "groupKey": '{}:{alertname="CheckoutLatency"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "gateway",
        "groupLabels": {"alertname": "CheckoutLatency"},
        "commonLabels": {"alertname": "CheckoutLatency", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
        "alerts": found,
    }
    return json.dumps(group, separators=(",", ":"))


def _content(valid: bool) -> dict[str, Any]:
    environment = {"environment": {"id": "production", "source": "/environments/eu-west-1"}}
    return {
        "description": "The 99th percentile of the checkout's latency has been above 2 s for five minutes. "
        "First seen by the probe of the shop's payment page; the error rate is still normal, and so is "
        "the load on every node, in both zones. Runbook: https://runbooks.example.com/checkout/latency.",
        **({"environment": environment["environment"]} if valid else {}),
        "service": {"id": "checkout", "source": "/environments/eu-west-1/services"},
        "artifactId": "pkg:oci/checkout@sha256%3A2cf24dba5fb0a30e26e83b2ac5b9e29e",
    }
