"""Sentry's integration platform: issue alerts, metric alerts and issues.

Sources: Sentry's documentation, "Integration platform", "Webhooks"; getsentry/sentry for what it sends that
the documentation does not tell (a new Request-ID for every attempt, ``ignored`` for archived).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import SchemaViolation
from gateway.formats import is_timestamp_or_seconds
from gateway.model import Details, Document, Envelope, Problem, Reference, Subject
from gateway.sources.links import first_link, host_of
from gateway.sources.source import (
    Control,
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
    word,
)

RESOURCE, TIMESTAMP, REQUEST = "sentry-hook-resource", "sentry-hook-timestamp", "request-id"
EVENT_ALERT, METRIC_ALERT, ISSUE = "event_alert", "metric_alert", "issue"
INSTALLATION = "installation"
_SCHEMAS = {
    name: f"sentry/{name.replace('_', '-')}.schema.json" for name in (EVENT_ALERT, METRIC_ALERT, ISSUE)
}
_OTHER_SCHEMA = "sentry/event.schema.json"

DETECTED, RESOLVED = ("incident", "detected"), ("incident", "resolved")
# (resource, action) -> (subject, predicate); every other pair keeps Sentry's own two words.
MEANING: dict[tuple[str, str], Pair] = {
    (EVENT_ALERT, "triggered"): DETECTED,
    (METRIC_ALERT, "critical"): DETECTED,
    (METRIC_ALERT, "warning"): DETECTED,
    (METRIC_ALERT, "open"): DETECTED,
    (METRIC_ALERT, "resolved"): RESOLVED,
    (ISSUE, "created"): DETECTED,
    (ISSUE, "resolved"): RESOLVED,
}
_ORGANISATION = re.compile(r"https?://[^/]+/organizations/[^/?#]+")


class Sentry(Source):
    """Sentry, by the webhooks of an integration."""

    name = "sentry"
    title = "Sentry integration webhooks"
    marks = "the header Sentry-Hook-Resource"
    body_marks = ()
    header_marks = (RESOURCE,)
    headers_read = (TIMESTAMP, REQUEST)
    controls = (INSTALLATION,)

    def pairs(self) -> frozenset[Pair]:
        """An alert fires and clears; all else is custom."""
        return frozenset(MEANING.values())

    def recognise(self, document: Document) -> bool:
        """The header alone says what the body is."""
        return False

    def control(self, document: Document) -> Control | None:
        """An integration was installed or taken away."""
        if _resource(document) != INSTALLATION:
            return None
        action = text_of(mapping(document.data).get("action"))
        return Control(self.name, INSTALLATION, f"an integration of Sentry was {word(action or 'changed')}")

    def schema(self, document: Document) -> str:
        """Choose by the resource. Raises SchemaViolation without the header that names it."""
        resource = _resource(document)
        if not resource:
            missing = "the header Sentry-Hook-Resource is required: it says what the body is"
            raise SchemaViolation(missing, [Problem(document.pointer, "header", missing)])
        return _SCHEMAS.get(resource, _OTHER_SCHEMA)

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """The table decides; the three resources of it have a shape each."""
        resource, action, data = _resource(document), document.data["action"], document.data["data"]
        pair = MEANING.get((resource, action), (word(resource), word(action)))
        notice = _READERS.get(resource, _other)(action, data, resource)
        source, id = _identity(document, notice)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(pair[0], notice.subject or id),
            predicate=pair[1],
            time=event_time(document, notice.time, _sent(document)),
            origin=origin(
                document,
                schema_id,
                id=text_of(document.message.headers.get(REQUEST)),
                type=f"{resource}.{action}",
                source=text_of(mapping(document.data.get("installation")).get("uuid")),
            ),
            details=_details(document, notice),
            open_ended=(resource, action) not in MEANING,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What the resources have in common; ``id`` where the body itself names the event."""

    subject: str | None
    id: str | None = None
    time: Any = None
    description: str | None = None
    severity: str | None = None
    service: str | None = None
    environment: str | None = None
    url: str | None = None
    labels: tuple[tuple[str, Any], ...] = ()


def _event_alert(action: str, data: Mapping[str, Any], resource: str) -> _Notice:
    """A rule of the user's matched an error."""
    event, rule = data["event"], text_of(data.get("triggered_rule"))
    tags = event.get("tags")
    pairs = [tag for tag in tags if isinstance(tag, list) and len(tag) == 2] if isinstance(tags, list) else []
    return _Notice(
        subject=event["issue_id"],
        id=":".join(
            filter(None, (event["event_id"], rule, "" if rule and action == "triggered" else action))
        ),
        time=event["datetime"],
        description=text_of(event.get("title")),
        severity=text_of(event.get("level")),
        environment=text_of(event.get("environment")),
        url=first_link(event.get("web_url"), event.get("issue_url")),
        labels=(
            *((name, value) for name, value in pairs if isinstance(name, str)),
            ("project", event.get("project")),
            ("triggered_rule", rule),
        ),
    )


def _metric_alert(action: str, data: Mapping[str, Any], resource: str) -> _Notice:
    """A number crossed a line; its ids are counted apart from those of issues."""
    alert = data["metric_alert"]
    started, projects = alert["date_started"], alert.get("projects")
    project = text_of(projects[0]) if isinstance(projects, list) and projects else None
    return _Notice(
        subject=f"{METRIC_ALERT}/{alert['id']}",
        id=f"{alert['id']}:{action}:{first(alert.get('date_detected'), started)}",
        time=alert.get("date_closed") if action == "resolved" else started,
        description=first(data.get("description_title"), alert.get("title")),
        severity=None if action == "resolved" else action,
        service=project,
        environment=text_of(mapping(alert.get("alert_rule")).get("environment")),
        url=uri_of(data.get("web_url")),
        labels=(("alert_rule", mapping(alert.get("alert_rule")).get("name")),),
    )


def _issue(action: str, data: Mapping[str, Any], resource: str) -> _Notice:
    """An issue is created once, and may be resolved many times without the body telling them apart."""
    issue = data["issue"]
    created = action == "created"
    return _Notice(
        subject=issue["id"],
        id=f"{ISSUE}/{issue['id']}:{action}" if created else None,
        time=issue.get("firstSeen") if created else None,
        description=text_of(issue.get("title")),
        severity=text_of(issue.get("level")),
        service=text_of(mapping(issue.get("project")).get("slug")),
        url=first_link(issue.get("web_url"), issue.get("permalink")),
        labels=(
            ("shortId", issue.get("shortId")),
            ("status", issue.get("status")),
            ("substatus", issue.get("substatus")),
        ),
    )


def _other(action: str, data: Mapping[str, Any], resource: str) -> _Notice:
    named = mapping(data.get(resource))
    return _Notice(
        subject=first(
            *(named.get(name) for name in ("id", "event_id", "issue_id")),
            *(data.get(f"{resource}_id"), data.get("issue_id")),
        ),
        description=text_of(named.get("title")),
        url=first_link(named.get("web_url"), data.get("web_url")),
    )


_READERS = {EVENT_ALERT: _event_alert, METRIC_ALERT: _metric_alert, ISSUE: _issue}


def _resource(document: Document) -> str:
    return document.message.headers.get(RESOURCE, "").strip()


def _identity(document: Document, notice: _Notice) -> tuple[str, str]:
    """The body's own id; else that of the request, which a second attempt does not repeat; else a hash."""
    installation = text_of(mapping(document.data.get("installation")).get("uuid"))
    told = _ORGANISATION.match(notice.url or "")
    source = document.message.source or (told[0] if told else host_of(notice.url))
    source = source or relative_source("sentry", *([installation] if installation else []))
    id = notice.id or document.message.headers.get(REQUEST, "").strip()
    return (source, id) if id else identity(document, source, dated=True)


def _sent(document: Document) -> str | None:
    """When the request was sent, where that header is fit to be read."""
    told = document.message.headers.get(TIMESTAMP, "").strip()
    return told if told and is_timestamp_or_seconds(told) else None


def _details(document: Document, notice: _Notice) -> Details:
    return Details(
        description=notice.description,
        environment=Reference(notice.environment) if notice.environment else None,
        service=Reference(notice.service) if notice.service else None,
        severity=notice.severity,
        actor=text_of(mapping(document.data.get("actor")).get("name")),
        url=notice.url,
        labels=labels(notice.labels),
    )
