"""One valid document of each system, to be bent by the tests."""

from __future__ import annotations

from typing import Any

from gateway.model import Record

Json = dict[str, Any]

EVENT = b'{"event_name":"x","event_action":"y","team_id":"t"}'  # the shortest


def deployed(**changes: Any) -> Json:
    """CTO.ai."""
    document = {"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}
    return document | changes


def detected(**context: Any) -> Json:
    """CDEvents 0.3.0."""
    return {
        "context": {
            "specversion": "0.5.1",
            "id": "e-1",
            "source": "/monitoring",
            "type": "dev.cdevents.incident.detected.0.3.0",
            "timestamp": "2026-02-03T04:05:06Z",
        }
        | context,
        "subject": {"id": "checkout-4417", "content": {"environment": {"id": "production"}}},
    }


def provisioned(**changes: Any) -> Json:
    """IBM Cloud."""
    document = {
        "event_id": "e-2",
        "event_type": "resource-controller.instance.create",
        "timestamp": "2026-02-03T04:05:06Z",
        "account_id": "a1",
        "event_properties": {"crn": "crn:v1:db"},
    }
    return document | changes


def tracked(id: str | None = None, links: Json | None = None, **attributes: Any) -> Json:
    """Tracker."""
    document: Json = {"title": "Release 4.2", "attributes": {"type": 1, "service": "shop"} | attributes}
    return document | ({"id": id} if id else {}) | ({"links": links} if links else {})


def incident(**changes: Any) -> Json:
    """The Incidents service."""
    document = {
        "type": "INCIDENT",
        "incidentId": "INC-7",
        "title": "Shop is slow",
        "category": "PERFORMANCE",
        "description": "p99 over 2 s",
        "recommendation": "roll back",
        "source": "apm",
        "status": "OPEN",
        "resolution": "",
        "services": [{"name": "shop"}],
        "metricNames": ["latency"],
        "sourceSite": "eu",
        "severity": "high",
        "priority": "P1",
        "metadata": {},
    }
    return document | changes


def cloudevent(data: Any = None, **attributes: Any) -> Json:
    """A structured CloudEvent; without ``data`` it holds a CTO.ai event."""
    event = {"specversion": "1.0", "id": "ce-1", "source": "/sender", "type": "com.example.happened"}
    return event | attributes | {"data": deployed() if data is None else data}


def without(document: Json, *names: str) -> Json:
    """A document less some of its members."""
    return {name: value for name, value in document.items() if name not in names}


def ce_headers(**attributes: str) -> dict[str, str]:
    """The headers of a CloudEvent in binary mode."""
    required = {"specversion": "1.0", "id": "ce-1", "source": "/sender", "type": "com.example.happened"}
    return {f"ce-{name}": value for name, value in (required | attributes).items()}


def bound(document: Json) -> Json:
    """A CDEvent in a structured CloudEvent that says what the CDEvent says."""
    context = document["context"]
    return cloudevent(
        document,
        id=context["id"],
        source=context["source"],
        type=context["type"],
        subject=document["subject"]["id"],
        time=context["timestamp"],
    )


def record(topic: str, key: str = "incident/1", value: bytes = b"{}", note: str = "x") -> Record:
    """A record for publishers, which look at nothing but its outside."""
    return Record(
        topic=topic,
        key=key.encode(),
        value=value,
        headers=(("ce_id", note.encode()), ("content-type", b"application/json")),
        source="/s",
        id=note,
    )
