"""Google Cloud Monitoring: incidents of alerting policies, by its webhook channel (version 1.2).

Source: Google's notification options, as quoted and tested by the open-source receivers of these webhooks
(GoogleCloudPlatform/cloud-alerting-notification-forwarding among them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import timestamps
from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.alerts import ENVIRONMENT, SERVICE, SEVERITY, pick
from gateway.sources.source import (
    Control,
    Pair,
    Source,
    first,
    labels,
    mapping,
    origin,
    relative_source,
    uri_of,
)

DETECTED: Pair = ("incident", "detected")
RESOLVED: Pair = ("incident", "resolved")

# incident.state in lower case -> what it means, and which member says when.
STATES: Mapping[str, tuple[Pair, str]] = {
    "open": (DETECTED, "started_at"),
    "closed": (RESOLVED, "ended_at"),
}
_TEST = "test"  # the version of what the Send test button sends
_LABELS = ("policy_name", "condition_name", "resource_name", "resource_id")


class GoogleCloud(Source):
    """Incidents of Google Cloud Monitoring."""

    name = "googlecloud"
    title = "Google Cloud Monitoring incidents"
    marks = "an object with version and incident.incident_id"
    body_marks = ("incident",)
    controls = (_TEST,)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has words for."""
        return frozenset({DETECTED, RESOLVED})

    def recognise(self, document: Document) -> bool:
        """The incident's id beside the version."""
        data = mapping(document.data)
        return "version" in data and "incident_id" in mapping(data.get("incident"))

    def control(self, document: Document) -> Control | None:
        """A test of the channel says open, too, and began in 1970."""
        version = mapping(document.data).get("version")
        if not isinstance(version, str) or version.lower() != _TEST:
            return None
        return Control(self.name, _TEST, "somebody tested the notification channel")

    def schema(self, document: Document) -> str:
        """One schema for all."""
        return "googlecloud/incident.schema.json"

    def fold(self, data: Any) -> Any:
        """The state is written in any case."""
        incident = mapping(mapping(data).get("incident"))
        state = incident.get("state")
        if not isinstance(state, str):
            return data
        return data | {"incident": {**incident, "state": state.lower()}}

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Open and closed of one incident share its id; what is sent again while it is open is a repeat."""
        incident = document.data["incident"]
        state = incident["state"].lower()
        pair, when = STATES[state]
        return self.envelope(
            document,
            id=f"{incident['incident_id']}:{state}",
            source=_source(incident),
            subject=Subject(pair[0], incident["incident_id"]),
            predicate=pair[1],
            time=timestamps.from_loose(incident[when]),
            origin=origin(
                document,
                schema_id,
                id=incident["incident_id"],
                type=state,
                source=first(incident.get("scoping_project_id")),
            ),
            details=_details(incident),
        )


def _source(incident: Mapping[str, Any]) -> str:
    project = first(incident.get("scoping_project_id"))
    return f"//monitoring.googleapis.com{relative_source('projects', project)}" if project else "/googlecloud"


def _details(incident: Mapping[str, Any]) -> Details:
    resource, users = mapping(incident.get("resource")), mapping(incident.get("policy_user_labels"))
    of_resource = mapping(resource.get("labels"))
    given = {**labels(of_resource.items()), **labels(users.items())}
    environment, service = pick(given, ENVIRONMENT), pick(given, SERVICE)
    own = labels([*((name, incident.get(name)) for name in _LABELS), ("resource_type", resource.get("type"))])
    return Details(
        description=first(incident.get("summary")),
        environment=Reference(environment) if environment else None,
        service=Reference(service) if service else None,
        severity=first(incident.get("severity"), pick(given, SEVERITY)),
        url=uri_of(incident.get("url")),
        labels={**given, **own},
    )
