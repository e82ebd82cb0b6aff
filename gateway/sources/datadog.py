"""Datadog monitors, as the template of our page sends them (``docs/senders/datadog.md``).

Datadog's webhook sends whatever template somebody pasted, every variable put into a string; so the template
is ours, and its output is called ``datadog-monitor-1``. Source: Datadog's documentation of its webhooks
integration (the list of variables); that an unset variable comes as its own name is seen by third parties.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway import timestamps
from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.source import Pair, Source, first, labels, mapping, origin, relative_source, uri_of

FORM = "datadog-monitor-1"
DETECTED: Pair = ("incident", "detected")
RESOLVED: Pair = ("incident", "resolved")
NO_DATA: Pair = ("monitor", "no_data")
NOTIFIED: Pair = ("monitor", "notified")

# $ALERT_TRANSITION in lower case -> what it means, and the word for it in the event's id: repeats share it.
TRANSITIONS: Mapping[str, tuple[Pair, str]] = {
    "triggered": (DETECTED, "triggered"),
    "re-triggered": (DETECTED, "triggered"),
    "renotify": (DETECTED, "triggered"),
    "warn": (DETECTED, "warn"),
    "re-warn": (DETECTED, "warn"),
    "recovered": (RESOLVED, "recovered"),
    "no data": (NO_DATA, "no_data"),
    "re-no data": (NO_DATA, "no_data"),
}
_UNSET = re.compile(r"\$[A-Z_]+(?:\[[^\]]*\])?", re.ASCII)
_LABELS = ("alert_id", "alert_metric", "alert_scope", "hostname", "event_type", "org_id")


class Datadog(Source):
    """Monitors of Datadog."""

    name = "datadog"
    title = "Datadog monitors"
    marks = f'an object with "schema": "{FORM}"'
    body_marks = ("schema",)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has words for."""
        return frozenset({DETECTED, RESOLVED})

    def recognise(self, document: Document) -> bool:
        """The name that our template gives its output."""
        return mapping(document.data).get("schema") == FORM

    def schema(self, document: Document) -> str:
        """One schema: the template's."""
        return "datadog/monitor.schema.json"

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """The transition says what happened; the cycle of the alert is the incident."""
        data = {name: text for name, text in document.data.items() if _is_set(text)}
        transition = data.get("alert_transition", "").lower()
        pair, told = TRANSITIONS.get(transition, (NOTIFIED, ""))
        episode = _episode(data)
        return self.envelope(
            document,
            id=f"{episode}:{told}" if told else data["id"],
            source=_source(data),
            subject=Subject(pair[0], episode),
            predicate=pair[1],
            time=timestamps.from_milliseconds(int(data["date"])),
            origin=origin(
                document,
                schema_id,
                id=data["id"],
                type=first(data.get("alert_transition"), data.get("event_type")),
                source=data.get("org_id"),
            ),
            details=_details(data, told),
            open_ended=pair not in self.pairs(),
        )


def _is_set(text: Any) -> bool:
    """Whether a variable had a value: an unset one is empty, or its own name."""
    return isinstance(text, str) and text != "" and not _UNSET.fullmatch(text)


def _episode(data: Mapping[str, str]) -> str:
    """Datadog's key of one cycle from triggered to recovered, else of what alarms."""
    scope = f"/{data['alert_scope']}" if "alert_scope" in data else ""
    return data.get("alert_cycle_key") or data.get("aggreg_key") or f"{data['alert_id']}{scope}"


def _source(data: Mapping[str, str]) -> str:
    organisation = data.get("org_id", "")
    if organisation.isascii() and organisation.isdecimal():
        return f"https://app.datadoghq.com/org/{organisation}"
    return relative_source("datadog")


def _details(data: Mapping[str, str], told: str) -> Details:
    service, environment = data.get("service"), data.get("env")
    return Details(
        description=data.get("alert_title") or data.get("title"),
        environment=Reference(environment) if environment else None,
        service=Reference(service) if service else None,
        severity="warning" if told == "warn" else data.get("alert_type"),
        priority=data.get("alert_priority"),
        url=uri_of(data.get("link")),
        labels={**_tags(data.get("tags", "")), **labels((name, data.get(name)) for name in _LABELS)},
    )


def _tags(text: str) -> dict[str, str]:
    """``env:live,team:shop,monitor`` as labels; a bare word has nothing to say and is left to the payload."""
    parts = (part.strip().partition(":") for part in text.split(","))
    return labels((name, value) for name, colon, value in parts if name and colon)
