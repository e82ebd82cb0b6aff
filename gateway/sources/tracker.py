"""Tracker events: deployments, operations, drifts, incidents and RPA usage, created or updated.

Source: Tracker's events guide (BananaOps/tracker, docs/EVENTS.md). The guide and the service's own proto
file number the statuses differently, so the table in force is a setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.schemas import SchemaStore
from gateway.settings import Settings
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
    uri_of,
)

TYPES = {1: "deployment", 2: "operation", 3: "drift", 4: "incident", 5: "rpa_usage"}
STATUSES = {
    "guide": {
        1: "start",
        3: "success",
        4: "failure",
        5: "warning",
        6: "error",
        7: "open",
        8: "close",
        9: "done",
    },
    "proto": {
        1: "start",
        2: "failure",
        3: "success",
        4: "warning",
        5: "error",
        6: "snapshot",
        7: "user_update",
        8: "recommandation",
        9: "open",
        10: "close",
        11: "done",
        12: "in_progress",
        13: "planned",
        14: "waiting_approval",
    },
}
ENVIRONMENTS = {
    1: "development",
    2: "integration",
    3: "tnr",
    4: "uat",
    5: "recette",
    6: "preproduction",
    7: "production",
    8: "mco",
}
UNSPECIFIED = "unspecified"

_DEPLOYED = frozenset({"success", "done"})
_STARTED = frozenset({"start", "open"})
_FINISHED = frozenset({"success", "failure", "warning", "error", "close", "done"})
_RESOLVED = frozenset({"close", "done", "success"})
_OUTCOME = {
    "success": "success",
    "done": "success",
    "warning": "success",
    "failure": "failure",
    "error": "failure",
}
_FOLDED = ("type", "priority", "status", "environment", "impact")


class Tracker(Source):
    """Tracker's own API, as its clients call it."""

    name = "tracker"
    title = "Tracker events"
    marks = "an object with attributes and title, id or links"
    body_marks = ("attributes",)

    def __init__(self, *, status_table: str = "guide") -> None:
        """``status_table`` is ``guide`` or ``proto``: which of the two numberings senders use."""
        self._table = status_table
        self._statuses = STATUSES[status_table]

    @classmethod
    def make(cls, settings: Settings, schemas: SchemaStore) -> Tracker:
        """Senders number the statuses in one of two ways."""
        return cls(status_table=settings.tracker_status_table)

    def pairs(self) -> frozenset[Pair]:
        """What every type with every status of the table in force can mean, and a bare update."""
        statuses = (*self._statuses.values(), UNSPECIFIED)
        meant = {_meaning(type, status, ticket) for type in TYPES.values() for status in statuses
                 for ticket in (True, False)}  # fmt: skip
        return frozenset(meant | {("event", "updated")})

    def recognise(self, document: Document) -> bool:
        """An attributes object beside one of the members that Tracker puts next to it."""
        data = document.data
        return (
            isinstance(data, dict)
            and "attributes" in data
            and not data.keys().isdisjoint(("title", "id", "links"))
        )

    def schema(self, document: Document) -> str:
        """Create or update, by the method; the status numbers by the setting."""
        return self._schema(document.message.update)

    def schemas(self, files: Iterable[str], *, update: bool) -> Sequence[str]:
        """The one of the method and the setting."""
        return (self._schema(update),)

    def fold(self, data: Any) -> Any:
        """Names of types, statuses and the like are written in any case."""
        if not isinstance(data, dict) or not isinstance(data.get("attributes"), dict):
            return data
        attributes = data["attributes"]
        names = {
            member: value.lower() for member in _FOLDED if isinstance(value := attributes.get(member), str)
        }
        return data | {"attributes": attributes | names}

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Type and status decide the meaning; an update that names no type is only an update."""
        data = document.data
        attributes, links = mapping(data.get("attributes")), mapping(data.get("links"))
        type = _name(TYPES, attributes.get("type"))
        status = _name(self._statuses, attributes.get("status")) or UNSPECIFIED
        ticket = text_of(links.get("ticket"))
        noun, predicate = _meaning(type, status, bool(ticket)) if type else ("event", "updated")
        dates = (
            _either(attributes, "startDate", "start_date"),
            _either(attributes, "endDate", "end_date"),
        )
        own_source = text_of(attributes.get("source"))
        sender = relative_source(self.name, own_source or UNSPECIFIED)
        source, id = identity(document, sender, dated=any(dates))
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(noun, _subject_id(noun, data, attributes, ticket) or id),
            predicate=predicate,
            time=event_time(document, *(reversed(dates) if status in _FINISHED else dates)),
            origin=origin(
                document,
                schema_id,
                id=text_of(data.get("id")),
                type=type,
                source=own_source,
            ),
            details=_details(data, attributes, links, status),
        )

    def _schema(self, update: bool) -> str:
        return f"tracker/{'update' if update else 'create'}.{self._table}.schema.json"


def _meaning(type: str, status: str, ticket: bool) -> Pair:
    if type == "deployment":
        return ("service", "deployed") if status in _DEPLOYED else ("deployment", status)
    if type == "drift":
        return "environment", "modified"
    if type == "incident":
        if status in _RESOLVED:
            return "incident", "resolved"
        return ("incident", "reported") if ticket else ("incident", "detected")
    if status in _STARTED:
        return "taskrun", "started"
    # planned, waiting_approval and the like are neither a start nor an end
    return ("taskrun", "finished") if status in _FINISHED else (type, status)


def _name(table: Mapping[int, str], value: Any) -> str | None:
    """Give the name for a number, a number in a string, or a name in any case and spelling."""
    if value is None:
        return None
    if isinstance(value, float):
        value = int(value)  # 3.0 is the integer 3 to JSON Schema
    text = str(value).lower()
    if text.isdecimal():
        return table.get(int(text))
    return next((name for name in table.values() if _letters(name) == _letters(text)), None)


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _either(members: Mapping[str, Any], camel: str, snake: str) -> Any:
    return members.get(camel, members.get(snake))


def _subject_id(
    noun: str, data: Mapping[str, Any], attributes: Mapping[str, Any], ticket: str | None
) -> str | None:
    """What stays the same over an event's life: for an incident its ticket, then Tracker's own id."""
    service = text_of(attributes.get("service"))
    environment = _name(ENVIRONMENTS, attributes.get("environment"))
    match noun:
        case "service":
            return first(service, data.get("id"))
        case "environment":
            return first(environment, service, data.get("id"))
        case "incident":
            return first(ticket, data.get("id"))
        case "deployment":
            return first(data.get("id"), "/".join(part for part in (service, environment) if part))
        case _:
            return first(data.get("id"))


def _details(
    data: Mapping[str, Any], attributes: Mapping[str, Any], links: Mapping[str, Any], status: str
) -> Details:
    environment = _name(ENVIRONMENTS, attributes.get("environment"))
    service = text_of(attributes.get("service"))
    return Details(
        description=first(attributes.get("message"), data.get("title")),
        environment=Reference(environment) if environment else None,
        service=Reference(service) if service else None,
        ticket_uri=uri_of(links.get("ticket")),
        severity=text_of(attributes.get("impact")),
        priority=text_of(attributes.get("priority")),
        outcome=_OUTCOME.get(status),
        actor=text_of(attributes.get("owner")),
        url=uri_of(_either(links, "pullRequestLink", "pull_request_link")),
        labels=labels(
            (
                ("title", data.get("title")),
                ("status", status if status != UNSPECIFIED else None),
                ("ticket", links.get("ticket")),
                ("relatedId", _either(attributes, "relatedId", "related_id")),
            )
        ),
    )
