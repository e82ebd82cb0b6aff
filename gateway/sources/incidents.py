"""The Incidents service, version 1: create or update an incident, and the update of seven fields by id.

Source: the service's published API page ("Incidents service (v1)").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.source import (
    Pair,
    Source,
    event_time,
    first,
    identity,
    labels,
    mapping,
    origin,
    relative_source,
    text_of,
)

PREDICATES = {"OPEN": "detected", "RESOLVED": "resolved"}
TENANT_HEADER = "x-scope-orgid"
_LABELS = ("title", "type", "category", "source", "sourceSite", "resolution")
_OWN_MEMBERS = frozenset({"recommendation", "resolution", "sourceSite", "metricNames"})


class Incidents(Source):
    """The Incidents service, as its clients call it."""

    name = "incidents"
    title = "Incidents service (v1)"
    headers_read = (TENANT_HEADER,)
    marks = "an object with incidentId, or with two of recommendation, resolution, sourceSite, metricNames"
    body_marks = ("incidentId", *_OWN_MEMBERS)

    def pairs(self) -> frozenset[Pair]:
        """Open and resolved; anomalies and alerts are incidents too, their type stays in the labels."""
        return frozenset(("incident", predicate) for predicate in PREDICATES.values())

    def recognise(self, document: Document) -> bool:
        """Its id, or two of the members that only it has."""
        data = document.data
        if not isinstance(data, dict):
            return False
        return "incidentId" in data or len(_OWN_MEMBERS & data.keys()) >= 2

    def schema(self, document: Document) -> str:
        """The update by id takes seven fields; everything else is the whole incident."""
        return _schema(document.message.update)

    def schemas(self, files: Iterable[str], *, update: bool) -> Sequence[str]:
        """The one of the method."""
        return (_schema(update),)

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """The status decides; the id in the path names the incident of an update."""
        data, headers = document.data, document.message.headers
        resolved = data["status"] == "RESOLVED"
        times = data.get("startTime"), data.get("endTime")
        incident = first(document.message.resource, data.get("incidentId")) or document.fresh_id
        tenant = headers.get(TENANT_HEADER, "").strip()
        sender = relative_source(self.name, *([tenant] if tenant else []))
        source, id = identity(document, sender, dated=any(time is not None for time in times))
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject("incident", incident),
            predicate=PREDICATES[data["status"]],
            time=event_time(document, times[1] if resolved else times[0]),
            origin=origin(
                document,
                schema_id,
                id=text_of(data.get("incidentId")),
                type=text_of(data.get("type")),
                source=text_of(data.get("source")),
            ),
            details=Details(
                description=text_of(data.get("description")),
                service=_service(data.get("services")),
                severity=text_of(data.get("severity")),
                priority=text_of(data.get("priority")),
                labels=labels((label, data.get(label)) for label in _LABELS),
            ),
        )


def _schema(update: bool) -> str:
    return f"incidents/{'update' if update else 'incident'}.schema.json"


def _service(services: Any) -> Reference | None:
    """The first service by whatever names it: the page does not show a service's members."""
    if not isinstance(services, list) or not services:
        return None
    service = mapping(services[0])
    name = first(service.get("id"), service.get("name"), service.get("serviceName"))
    return Reference(name) if name else None
