"""GitHub webhooks: which event a delivery is, and which delivery; ``github_events`` tells what it means.

Sources: GitHub's documentation, "Webhook events and payloads"; the payload schemas of octokit/webhooks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.errors import SchemaViolation
from gateway.model import Document, Envelope, Problem, Subject
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources import github_events
from gateway.sources.disguises import FORM, in_payload
from gateway.sources.github_events import Meaning
from gateway.sources.links import first_link
from gateway.sources.source import (
    Control,
    Disguise,
    Pair,
    Source,
    event_time,
    identity,
    mapping,
    origin,
    relative_source,
    text_of,
)

EVENT, DELIVERY = "x-github-event", "x-github-delivery"
ISSUES, DEPLOYMENT, WORKFLOW = "issues", "deployment_status", "workflow_run"
_SCHEMAS = {
    event: f"github/{event.replace('_', '-')}.schema.json" for event in (ISSUES, DEPLOYMENT, WORKFLOW)
}
PING = "ping"
_OTHER_SCHEMA = "github/event.schema.json"


class GitHub(Source):
    """GitHub, by the webhooks of a repository, an organisation or an app."""

    name = "github"
    title = "GitHub webhooks"
    marks = "the header X-GitHub-Event"
    body_marks = ()
    header_marks = (EVENT,)
    headers_read = (DELIVERY,)
    disguises = (Disguise(EVENT, FORM, in_payload),)
    controls = (PING,)

    def __init__(self, *, incident_labels: Collection[str] = ("incident",)) -> None:
        """An issue with one of these labels, in any case, is an incident."""
        self._incident_labels = frozenset(label.lower() for label in incident_labels)

    @classmethod
    def make(cls, settings: Settings, schemas: SchemaStore) -> GitHub:
        """Which labels tell an incident is the user's own choice."""
        return cls(incident_labels=settings.github_incident_labels)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has a word for."""
        return github_events.PAIRS

    def recognise(self, document: Document) -> bool:
        """The header alone says what the body is."""
        return False

    def control(self, document: Document) -> Control | None:
        """What GitHub sends when a webhook is made, and on demand."""
        if document.message.headers.get(EVENT, "").strip() != PING:
            return None
        return Control(self.name, PING, f"GitHub tested webhook {_hook(document)}")

    def schema(self, document: Document) -> str:
        """Choose by the event. Raises SchemaViolation without the header that names it."""
        event = document.message.headers.get(EVENT, "").strip()
        if not event:
            missing = "the header X-GitHub-Event is required: it says what the body is"
            raise SchemaViolation(missing, [Problem(document.pointer, "header", missing)])
        return _SCHEMAS.get(event, _OTHER_SCHEMA)

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Three events have a meaning of their own; of all others GitHub's own words are kept."""
        data, event = document.data, document.message.headers[EVENT].strip()
        repository = mapping(data.get("repository"))
        meaning = self._meaning(event, data)
        noun, predicate = meaning.pair
        site = first_link(repository.get("html_url"), mapping(data.get("organization")).get("url"))
        named = document.message.source or site or relative_source(self.name)
        source, id = _identity(document, named, dated=event in _SCHEMAS)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(noun, meaning.subject or id),
            predicate=predicate,
            time=event_time(document, *meaning.times),
            origin=origin(
                document,
                schema_id,
                id=text_of(document.message.headers.get(DELIVERY)),
                type=".".join(filter(None, (event, text_of(data.get("action"))))),
                source=site,
            ),
            details=meaning.details,
            open_ended=event not in _SCHEMAS or meaning.pair not in github_events.PAIRS,
        )

    def _meaning(self, event: str, data: Mapping[str, Any]) -> Meaning:
        if event == ISSUES:
            return github_events.issue(data, self._incident_labels)
        if event == DEPLOYMENT:
            return github_events.deployment(data)
        return github_events.run(data) if event == WORKFLOW else github_events.other(event, data)


def _hook(document: Document) -> str:
    return text_of(mapping(document.data).get("hook_id")) or "without an id"


def _identity(document: Document, source: str, *, dated: bool) -> tuple[str, str]:
    if delivery := document.message.headers.get(DELIVERY, "").strip():
        return source, delivery
    return identity(document, source, dated=dated)
