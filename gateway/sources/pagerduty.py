"""PagerDuty webhooks of version 3: one event a request.

Sources: PagerDuty's developer documentation, "Webhooks" (overview, event types, payload), and its REST schema
for the reason of a resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.links import first_link, host_of
from gateway.sources.source import (
    Control,
    Pair,
    Source,
    event_time,
    first,
    labels,
    mapping,
    origin,
    relative_source,
    text_of,
    uri_of,
    word,
)

_SCHEMA = "pagerduty/event.schema.json"

DETECTED, REPORTED, RESOLVED = (("incident", verb) for verb in ("detected", "reported", "resolved"))
# event_type -> (subject, predicate) by who did it: a person reports, everything else detects
TRIGGERED = "incident.triggered"
MEANING: dict[str, Pair] = {TRIGGERED: DETECTED, "incident.resolved": RESOLVED}
_PERSON = "user_reference"
# An incident that was merged into another is closed by PagerDuty, and goes on there.
_MERGED = "merge_resolve_reason"
PING = "ping"
_PING = "pagey.ping"
_LABELS = ("number", "incident_key")


class PagerDuty(Source):
    """PagerDuty, by its webhook subscriptions."""

    name = "pagerduty"
    title = "PagerDuty V3 webhooks"
    marks = "an object with event.event_type and event.resource_type"
    body_marks = ("event",)
    controls = (PING,)

    def pairs(self) -> frozenset[Pair]:
        """An incident is triggered by a machine or a person, and resolved; all else is custom."""
        return frozenset((DETECTED, REPORTED, RESOLVED))

    def recognise(self, document: Document) -> bool:
        """The two members that say what the event is; the signature is a profile that anybody may use."""
        return {"event_type", "resource_type"} <= mapping(mapping(document.data).get("event")).keys()

    def schema(self, document: Document) -> str:
        """One schema for all."""
        return _SCHEMA

    def control(self, document: Document) -> Control | None:
        """The test that PagerDuty sends when it is asked to."""
        event = mapping(mapping(document.data).get("event"))
        if str(event.get("event_type")).lower() != _PING:
            return None
        return Control(self.name, PING, "PagerDuty tested a webhook subscription")

    def fold(self, data: Any) -> Any:
        """Event types are compared in lower case, so that no other spelling slips past the table."""
        event = mapping(mapping(data).get("event"))
        if not isinstance(type := event.get("event_type"), str):
            return data
        return {**data, "event": {**event, "event_type": type.lower()}}

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """The table decides, save for what was merged; the rest keeps PagerDuty's own noun and verb."""
        event = document.data["event"]
        data, type = event["data"], event["event_type"].lower()
        incident = _incident(data)
        noun, predicate = pair = _pair(type, event)
        link = uri_of(incident.get("html_url"))
        host = host_of(first_link(link, data.get("html_url"), mapping(data.get(noun)).get("html_url")))
        return self.envelope(
            document,
            id=event["id"],
            source=document.message.source or host or relative_source(self.name),
            subject=Subject(noun, _subject_id(noun, data, incident) or event["id"]),
            predicate=predicate,
            time=event_time(document, event["occurred_at"]),
            origin=origin(document, schema_id, id=event["id"], type=event["event_type"], source=host),
            details=_details(event, incident, reported=pair == REPORTED),
            open_ended=pair not in self.pairs() or type not in MEANING,
        )


def _pair(type: str, event: Mapping[str, Any]) -> Pair:
    data = event["data"]
    if type == TRIGGERED and mapping(event.get("agent")).get("type") == _PERSON:
        return REPORTED
    if type == "incident.resolved" and mapping(data.get("resolve_reason")).get("type") == _MERGED:
        return "incident", "merged"
    noun, _, verb = type.partition(".")
    return MEANING.get(type) or (word(noun), word(verb))


def _incident(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The incident that the data is, belongs to, or assigns somebody to."""
    if data.get("type") == "incident":
        return data
    assigned = data.get("incident_role_assignments")
    held = assigned[0] if isinstance(assigned, list) and assigned else data
    return mapping(mapping(held).get("incident"))


def _subject_id(noun: str, data: Mapping[str, Any], incident: Mapping[str, Any]) -> str | None:
    """A note has an id of its own: what happens to an incident is about the incident."""
    named = incident if noun == "incident" else mapping(data.get(noun))
    return first(named.get("id"), data.get("id"))


def _details(event: Mapping[str, Any], incident: Mapping[str, Any], *, reported: bool) -> Details:
    data, page = event["data"], uri_of(incident.get("html_url"))
    return Details(
        description=first(incident.get("title"), incident.get("summary"), data.get("summary")),
        service=_reference(mapping(incident.get("service"))),
        ticket_uri=page if reported else None,
        severity=text_of(incident.get("urgency")),
        priority=text_of(mapping(incident.get("priority")).get("summary")),
        actor=text_of(mapping(event.get("agent")).get("summary")),
        url=first_link(page, data.get("html_url")),
        labels=labels((label, incident.get(label)) for label in _LABELS),
    )


def _reference(service: Mapping[str, Any]) -> Reference | None:
    id = text_of(service.get("id"))
    return Reference(id, uri_of(service.get("html_url"))) if id else None
