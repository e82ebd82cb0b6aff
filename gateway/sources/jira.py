"""Jira webhooks, of Cloud and of Data Center: incidents where the issue's type says so, else tickets.

Source: Atlassian's developer documentation, "Webhooks" of the Jira Cloud platform; what Data Center sends is
the same body without the headers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from gateway import timestamps
from gateway.model import Details, Document, Envelope, Subject
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources.links import first_link, host_of
from gateway.sources.source import (
    Pair,
    Source,
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

IDENTIFIER = "x-atlassian-webhook-identifier"
_ISSUE_SCHEMA, _OTHER_SCHEMA = "jira/issue.schema.json", "jira/event.schema.json"

# What happened to an issue -> (subject, predicate), where the issue is an incident and where it is not. A
# status of the category "done" that was set just now ends it; a delete or any other change does not.
CREATED, UPDATED, DONE, DELETED = "issue_created", "issue_updated", "done", "issue_deleted"
INCIDENT: dict[str, Pair] = {
    CREATED: ("incident", "reported"),
    DONE: ("incident", "resolved"),
    UPDATED: ("incident", "updated"),
    DELETED: ("incident", "deleted"),
}
TICKET: dict[str, Pair] = {
    CREATED: ("ticket", "created"),
    DONE: ("ticket", "closed"),
    UPDATED: ("ticket", "updated"),
    DELETED: ("ticket", "deleted"),
}
_OWN_WORDS = frozenset((INCIDENT[UPDATED], INCIDENT[DELETED], TICKET[DELETED]))
_OF_AN_ISSUE = frozenset((CREATED, UPDATED, DELETED))
_PREFIX = "jira:"
_REST = re.compile(r"/rest/(?:api|agile|servicedeskapi)/.*", re.DOTALL)


class Jira(Source):
    """Jira, by the webhooks of its administrators or of an automation that sends the same body."""

    name = "jira"
    title = "Jira webhooks"
    marks = "the header X-Atlassian-Webhook-Identifier, or an object with webhookEvent and timestamp"
    body_marks = ("webhookEvent",)

    header_marks = (IDENTIFIER,)

    def __init__(self, *, incident_types: Collection[str] = ("incident",)) -> None:
        """An issue is an incident when the name of its type holds one of these words, in any case."""
        self._incident_types = tuple(type.lower() for type in incident_types)

    @classmethod
    def make(cls, settings: Settings, schemas: SchemaStore) -> Jira:
        """What the types of issues are called differs from site to site."""
        return cls(incident_types=settings.jira_incident_types)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has a word for."""
        return frozenset((*INCIDENT.values(), *TICKET.values())) - _OWN_WORDS

    def recognise(self, document: Document) -> bool:
        """The two members that every body has; Data Center sends no header that tells."""
        return {"webhookEvent", "timestamp"} <= mapping(document.data).keys()

    def schema(self, document: Document) -> str:
        """What happens to issues needs an issue; of anything else little is known."""
        event = mapping(document.data).get("webhookEvent")
        return _ISSUE_SCHEMA if isinstance(event, str) and _plain(event) in _OF_AN_ISSUE else _OTHER_SCHEMA

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Issues by the tables; comments, sprints and the rest keep Jira's own noun and verb."""
        data = document.data
        event, issue = _plain(data["webhookEvent"]), mapping(data.get("issue"))
        noun, predicate = pair = self._pair(event, data)
        thing = issue if event in _OF_AN_ISSUE else _member(data, noun)
        site = _site(issue.get("self"), thing.get("self"), mapping(data.get("user")).get("self"))
        subject = first(thing.get("id"), issue.get("id"))
        named = document.message.source or site or relative_source(self.name)
        source, id = _identity(document, named, subject)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(noun, subject or id),
            predicate=predicate,
            time=timestamps.from_milliseconds(int(data["timestamp"])),
            origin=origin(
                document,
                schema_id,
                id=text_of(document.message.headers.get(IDENTIFIER)),
                type=data["webhookEvent"],
                source=site,
            ),
            details=_details(site, issue, mapping(data.get("user"))),
            open_ended=pair not in self.pairs() or event not in _OF_AN_ISSUE,
        )

    def _pair(self, event: str, data: Mapping[str, Any]) -> Pair:
        if event not in _OF_AN_ISSUE:
            noun, _, verb = event.rpartition("_")
            return word(noun or verb), word(verb if noun else "unspecified")
        type = str(data["issue"]["fields"]["issuetype"]["name"]).lower()
        table = INCIDENT if any(known in type for known in self._incident_types) else TICKET
        return table[DONE if event == UPDATED and _is_done(data) else event]


def _plain(event: str) -> str:
    """``jira:issue_created`` -> ``issue_created``."""
    return event.lower().removeprefix(_PREFIX)


def _member(data: Mapping[str, Any], noun: str) -> Mapping[str, Any]:
    """The object of that name: what happened to an ``issuelink`` comes with an ``issueLink``."""
    return next((mapping(value) for name, value in data.items() if name.lower() == noun), {})


def _is_done(data: Mapping[str, Any]) -> bool:
    """Whether this change gave the issue a status, and one that means done."""
    items = mapping(data.get("changelog")).get("items")
    changed = [mapping(item) for item in items] if isinstance(items, list) else []
    moved = any(item.get("field") == "status" and item.get("fieldtype") != "custom" for item in changed)
    status = mapping(mapping(mapping(data["issue"])["fields"]).get("status"))
    return moved and mapping(status.get("statusCategory")).get("key") == "done"


def _identity(document: Document, source: str, subject: str | None) -> tuple[str, str]:
    """The identifier of the delivery, else what names the change; else as for any other sender."""
    data, headers = document.data, document.message.headers
    if delivery := headers.get(IDENTIFIER, "").strip():
        return source, delivery
    if subject is None:
        return identity(document, source, dated=True)
    change = first(mapping(data.get("changelog")).get("id"), data["timestamp"])
    return source, f"{subject}:{data['webhookEvent']}:{change}"


def _site(*links: Any) -> str | None:
    """Where a Jira is: its REST links less what follows the path it is installed under."""
    link = first_link(*links)
    base = _REST.sub("", link) if link else None
    return base.rstrip("/") if base and base != link else host_of(link)


def _details(site: str | None, issue: Mapping[str, Any], user: Mapping[str, Any]) -> Details:
    key, fields = text_of(issue.get("key")), mapping(issue.get("fields"))
    page = uri_of(f"{site}/browse/{key}") if site and key else None
    named = ("issuetype", "status", "resolution")
    project = first(mapping(fields.get("project")).get("key"), (key or "").rpartition("-")[0])
    return Details(
        description=text_of(fields.get("summary")),
        ticket_uri=page,
        priority=text_of(mapping(fields.get("priority")).get("name")),
        actor=first(user.get("displayName"), user.get("name"), user.get("accountId")),
        url=page,
        labels=labels(
            [("key", key), ("project", project), *((n, mapping(fields.get(n)).get("name")) for n in named)]
        ),
    )
