"""What Alertmanager and Grafana share: a group of alerts, each firing or resolved, with labels.

Sources: prometheus/alertmanager, notify/webhook and template/template.go; grafana/alerting, templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway import timestamps
from gateway.model import Details, Document, Envelope, Reference, Subject
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
)

PREDICATES = {"firing": "detected", "resolved": "resolved"}

# Which label or annotation tells what; the first that is not empty wins.
SEVERITY = ("severity", "level", "priority")
SERVICE = ("service", "service_name", "app", "job")
ENVIRONMENT = ("environment", "env", "deployment_environment")
DESCRIPTION = ("description", "summary", "message")

TRUNCATED = "truncated"


class Alerts(Source):
    """A group of alerts; the version of the document tells the two senders apart."""

    version: str
    schema_file: str
    group = ("alerts",)
    body_marks = ("alerts",)
    controls: tuple[str, ...] = (TRUNCATED,)
    own_labels: tuple[str, ...] = ()
    """Members of an alert that are worth a label too."""
    urls: tuple[str, ...] = ("generatorURL",)
    """Members of an alert that may hold its page, best first."""

    def pairs(self) -> frozenset[Pair]:
        """Firing and resolved."""
        return frozenset(("incident", predicate) for predicate in PREDICATES.values())

    def recognise(self, document: Document) -> bool:
        """The version and the alerts."""
        data = mapping(document.data)
        return data.get("version") == self.version and "alerts" in data

    def schema(self, document: Document) -> str:
        """There is one."""
        return self.schema_file

    def remark(self, document: Document) -> Control | None:
        """Alerts that the sender left out are lost, unless somebody raises its limit."""
        lost = document.data.get("truncatedAlerts")
        if not lost:
            return None
        return Control(self.name, TRUNCATED, f"{lost} alerts were left out by the sender: see its max_alerts")

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """The alert's own status decides, not the group's.

        The fingerprint is the same for the next outage of the same target, and so the subject's; the start is
        part of the id, which all repeats of one notice share.
        """
        data = document.data
        (alert,) = data["alerts"]
        status, fingerprint = alert["status"], alert["fingerprint"]
        external = uri_of(data.get("externalURL"))
        return self.envelope(
            document,
            id=f"{fingerprint}:{status}:{timestamps.to_utc(alert['startsAt'])}",
            source=document.message.source or external or relative_source(self.name),
            subject=Subject("incident", fingerprint),
            predicate=PREDICATES[status],
            time=event_time(document, alert["startsAt" if status == "firing" else "endsAt"]),
            origin=origin(document, schema_id, id=fingerprint, type=status, source=external),
            details=self.details(alert),
        )

    def details(self, alert: Mapping[str, Any]) -> Details:
        """Read the labels and annotations by the names that are usual for each field."""
        given, notes = alert["labels"], mapping(alert.get("annotations"))
        service, environment = pick(given, SERVICE), pick(given, ENVIRONMENT)
        return Details(
            description=pick(notes, DESCRIPTION),
            service=Reference(service) if service else None,
            environment=Reference(environment) if environment else None,
            severity=pick(given, SEVERITY),
            url=next((uri for name in self.urls if (uri := uri_of(alert.get(name)))), None),
            labels=labels([*given.items(), *((name, alert.get(name)) for name in self.own_labels)]),
        )


def pick(given: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Give the first of the named labels that is not empty."""
    return first(*(text_of(given.get(name)) for name in names))
