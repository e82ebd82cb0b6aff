"""Uptime Kuma: a monitor went down or came up.

Source: louislam/uptime-kuma 2.5, its webhook notification provider and the JSON of heartbeat and monitor.
Nothing in a notice names the instance it comes from: the principal's ``source`` can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import timestamps
from gateway.model import Details, Document, Envelope, Reference, Subject
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

# heartbeat.status; up is only told after a down.
STATUSES: Mapping[int, Pair] = {
    0: DETECTED,
    1: RESOLVED,
    2: ("monitor", "pending"),
    3: ("monitor", "maintenance"),
}
_STATUS_NAMES = {0: "down", 1: "up", 2: "pending", 3: "maintenance"}


class UptimeKuma(Source):
    """Monitors of Uptime Kuma."""

    name = "uptimekuma"
    title = "Uptime Kuma"
    marks = "an object with heartbeat, monitor and msg"
    body_marks = ("heartbeat",)
    controls = ("notice",)

    def pairs(self) -> frozenset[Pair]:
        """What CDEvents has words for."""
        return frozenset({DETECTED, RESOLVED})

    def recognise(self, document: Document) -> bool:
        """The three members that every notice has."""
        return {"heartbeat", "monitor", "msg"} <= mapping(document.data).keys()

    def control(self, document: Document) -> Control | None:
        """The Test button and notices of expiring certificates and domains tell of no monitor."""
        data = mapping(document.data)
        bare = "heartbeat" in data and data["heartbeat"] is None
        if not bare or data.get("monitor") is not None:
            return None
        return Control(
            self.name, "notice", "a test, or a certificate or domain that expires; see Uptime Kuma"
        )

    def schema(self, document: Document) -> str:
        """One schema for all."""
        return "uptimekuma/notice.schema.json"

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """A monitor has no id for one outage, so the monitor is the incident."""
        data = document.data
        heartbeat, monitor = data["heartbeat"], mapping(data["monitor"])
        status = int(heartbeat["status"])
        noun, predicate = pair = STATUSES[status]
        time = timestamps.from_loose(heartbeat["time"])
        number = int(heartbeat["monitorID"])
        return self.envelope(
            document,
            id=f"{number}:{status}:{time}",
            source=document.message.source or relative_source(self.name),
            subject=Subject(noun, f"monitor/{number}"),
            predicate=predicate,
            time=time,
            origin=origin(document, schema_id, id=None, type=_STATUS_NAMES[status], source=None),
            details=_details(data, heartbeat, monitor),
            open_ended=pair not in self.pairs(),
        )


def _details(data: Mapping[str, Any], heartbeat: Mapping[str, Any], monitor: Mapping[str, Any]) -> Details:
    service = first(monitor.get("name"))
    tags = monitor.get("tags")
    return Details(
        description=first(data.get("msg"), heartbeat.get("msg")),
        service=Reference(service) if service else None,
        url=uri_of(monitor.get("url")),
        labels=labels(
            [
                *(
                    (str(tag.get("name")), tag.get("value"))
                    for tag in map(mapping, tags or ())
                    if tag.get("name")
                ),
                ("type", monitor.get("type")),
            ]
        ),
    )
