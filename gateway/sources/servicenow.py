"""ServiceNow records, as the script of our page sends them (``docs/senders/servicenow.md``).

ServiceNow has no webhook of its own: a business rule sends what somebody wrote. So the script is ours, and
its output is called ``servicenow-record-1``. Source: ServiceNow's documentation of business rules, outbound
REST and the life cycle of an incident; the numbers of the states are those of a default installation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.source import (
    Pair,
    Source,
    event_time,
    first,
    labels,
    mapping,
    origin,
    relative_source,
    uri_of,
    word,
)

FORM = "servicenow-record-1"
INCIDENT = "incident"
REPORTED: Pair = (INCIDENT, "reported")
RESOLVED: Pair = (INCIDENT, "resolved")

_OPEN = frozenset({"1", "2", "3"})  # new, in progress, on hold
_RESOLVED = "6"
_CLOSED = "7"
_CANCELED = "8"
_DONE = {"insert": "inserted", "update": "updated", "delete": "deleted"}
_LABELS = (
    "number",
    "state",
    "impact",
    "urgency",
    "category",
    "contact_type",
    "close_code",
    "correlation_id",
    "assignment_group",
)


class ServiceNow(Source):
    """Records of ServiceNow; those of the table ``incident`` have a meaning, all others their own words."""

    name = "servicenow"
    title = "ServiceNow records"
    marks = f'an object with "schema": "{FORM}"'
    body_marks = ("schema",)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has words for."""
        return frozenset({REPORTED, RESOLVED})

    def recognise(self, document: Document) -> bool:
        """The name that our script gives its output."""
        return mapping(document.data).get("schema") == FORM

    def schema(self, document: Document) -> str:
        """One schema for all tables."""
        return "servicenow/record.schema.json"

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """What happened is told by the operation and by the state before and after it."""
        data = document.data
        noun, predicate = pair = meaning(data)
        return self.envelope(
            document,
            id=f"{data['sys_id']}:{data['operation']}:{_revision(data)}",
            source=uri_of(data.get("instance")) or relative_source(self.name),
            subject=Subject(noun, data["sys_id"]),
            predicate=predicate,
            time=event_time(document, _own_time(pair, data), data["sys_updated_on"]),
            origin=origin(
                document,
                schema_id,
                id=None,
                type=f"{data['table']}.{data['operation']}",
                source=data.get("instance"),
            ),
            details=_details(data),
            open_ended=pair not in self.pairs(),
        )


def meaning(data: Mapping[str, Any]) -> Pair:
    """Give subject and predicate of a valid record. Who leaves the state alone has only updated it."""
    table, operation = data["table"].lower(), data["operation"]
    if table != INCIDENT:
        return word(table), _DONE[operation]
    after, before = data["state"], data.get("previous_state")
    if operation == "delete":
        return INCIDENT, "deleted"
    if operation == "insert":
        return (INCIDENT, "canceled") if after == _CANCELED else REPORTED
    if after == before:
        return INCIDENT, "updated"
    if after == _RESOLVED or (after == _CLOSED and before != _RESOLVED):
        return RESOLVED
    if after == _CLOSED:
        return INCIDENT, "closed"
    if after == _CANCELED:
        return INCIDENT, "canceled"
    if before in (_RESOLVED, _CLOSED) and after in _OPEN:
        return INCIDENT, "reopened"
    return INCIDENT, "updated"


def _revision(data: Mapping[str, Any]) -> str | None:
    return first(data.get("sys_mod_count"), data["sys_updated_on"])


def _own_time(pair: Pair, data: Mapping[str, Any]) -> str | None:
    member = {REPORTED: "opened_at", RESOLVED: "resolved_at"}.get(pair)
    return first(data.get(member)) if member else None


def _details(data: Mapping[str, Any]) -> Details:
    service = first(data.get("business_service"), data.get("cmdb_ci"))
    page = _page(data)
    return Details(
        description=first(data.get("short_description"), data.get("description")),
        service=Reference(service) if service else None,
        ticket_uri=page,
        severity=first(data.get("severity")),
        priority=first(data.get("priority")),
        actor=first(data.get("sys_updated_by")),
        url=page,
        labels=labels((name, data.get(name)) for name in _LABELS),
    )


def _page(data: Mapping[str, Any]) -> str | None:
    instance = uri_of(data.get("instance"))
    if instance is None:
        return None
    record = f"{data['table']}.do?sys_id={data['sys_id']}"
    return uri_of(f"{instance.rstrip('/')}/nav_to.do?uri={quote(record, safe='')}")
