"""Azure Monitor alerts in the common alert schema.

Source: Microsoft's documentation of Azure Monitor: common alert schema, payload samples, action groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.source import Pair, Source, event_time, first, labels, mapping, origin

COMMON = "azureMonitorCommonAlertSchema"
DETECTED: Pair = ("incident", "detected")
RESOLVED: Pair = ("incident", "resolved")

# essentials.monitorCondition -> what it means, and which member says when.
CONDITIONS: Mapping[str, tuple[Pair, str]] = {
    "fired": (DETECTED, "firedDateTime"),
    "resolved": (RESOLVED, "resolvedDateTime"),
}
# A restart, an audit or planned maintenance is an alert to Azure, and no incident.
_NO_INCIDENT = "activity log"
_LABELS = ("alertRule", "signalType", "monitoringService", "targetResourceType", "targetResourceGroup")


class AzureMonitor(Source):
    """Alerts of Azure Monitor."""

    name = "azuremonitor"
    title = "Azure Monitor alerts"
    marks = f'an object with "schemaId": "{COMMON}"'
    body_marks = ("schemaId",)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has words for."""
        return frozenset({DETECTED, RESOLVED})

    def recognise(self, document: Document) -> bool:
        """The schema's name; a document of the older schemas has other members, and no such name."""
        return mapping(document.data).get("schemaId") == COMMON

    def schema(self, document: Document) -> str:
        """One schema: the common one."""
        return "azuremonitor/alert.schema.json"

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Fired and Resolved of one alert share its id."""
        data = document.data["data"]
        essentials = data["essentials"]
        alert = essentials["alertId"].rpartition("/")[2]
        condition = essentials["monitorCondition"]
        pair, when = CONDITIONS[condition.lower()]
        if (first(essentials.get("signalType")) or "").lower() == _NO_INCIDENT:
            pair = ("alert", condition.lower())
        return self.envelope(
            document,
            id=f"{alert}:{condition.lower()}",
            source=_subscription(essentials["alertId"]),
            subject=Subject(pair[0], alert),
            predicate=pair[1],
            time=event_time(document, essentials.get(when)),
            origin=origin(document, schema_id, id=essentials["alertId"], type=condition, source=None),
            details=_details(data, essentials),
            open_ended=pair not in self.pairs(),
        )


def _subscription(alert_id: str) -> str:
    """``/subscriptions/<guid>``, which is a valid relative reference."""
    return "/".join(alert_id.split("/")[:3])


def _details(data: Mapping[str, Any], essentials: Mapping[str, Any]) -> Details:
    items = essentials.get("configurationItems") or essentials.get("alertTargetIDs") or [None]
    service = first(items[0])
    own = labels((name, essentials.get(name)) for name in _LABELS)
    return Details(
        description=first(essentials.get("description"), essentials.get("alertRule")),
        service=Reference(service) if service else None,
        severity=first(essentials.get("severity")),
        labels={**labels(mapping(data.get("customProperties")).items()), **own},
    )
