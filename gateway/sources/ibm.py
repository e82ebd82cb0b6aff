"""IBM Cloud resource lifecycle events, bare or inside a CloudEvent from IBM Event Notifications.

Source: IBM Cloud documentation, "Resource lifecycle events" (October 2024).
"""

from __future__ import annotations

from typing import Any

from gateway.model import Details, Document, Envelope, Subject
from gateway.sources.source import (
    Pair,
    Source,
    event_time,
    first,
    labels,
    mapping,
    origin,
    relative_source,
    text_of,
    word,
)

_SCHEMA = "ibm/resource-lifecycle.schema.json"
_PREFIX = "resource-controller."

_INSTANCE = (
    *("apply_promo_code", "create", "create_failure", "create_inprogress"),
    *("delete", "delete_failure", "delete_inprogress", "restore", "schedule_reclaim"),
    *("update", "update_failure", "update_inprogress"),
    *("update_plan", "update_plan_failure", "update_plan_inprogress"),
    *("update_state", "update_state_failure"),
)
_KEY = ("create", "create_failure", "delete", "delete_failure")
_GROUP = ("create", "delete", "update")

# (type, sub-type) -> (subject, predicate); the rest keep IBM's own noun and verb. A scheduled reclaim can be
# undone, so it is not a removal, and a failed operation is not an incident.
_SAME_AS_CDEVENTS: dict[Pair, Pair] = {
    ("instance", "create"): ("service", "deployed"),
    ("instance", "restore"): ("service", "deployed"),
    ("instance", "update"): ("service", "upgraded"),
    ("instance", "update_plan"): ("service", "upgraded"),
    ("instance", "delete"): ("service", "removed"),
    ("resource_group", "create"): ("environment", "created"),
    ("resource_group", "update"): ("environment", "modified"),
    ("resource_group", "delete"): ("environment", "deleted"),
}
MEANING: dict[Pair, Pair] = {
    (type, sub_type): _SAME_AS_CDEVENTS.get((type, sub_type), (type, sub_type))
    for type, sub_types in (("instance", _INSTANCE), ("key", _KEY), ("resource_group", _GROUP))
    for sub_type in sub_types
}

_LABELS = ("name", "region_id", "resource_group_id", "resource_id", "state")


class Ibm(Source):
    """IBM Cloud's resource controller."""

    name = "ibm"
    title = "IBM Cloud resource lifecycle events"
    marks = "an object with event_type and event_id or event_properties"
    body_marks = ("event_type",)
    lenient_extensions = True  # Event Notifications adds members such as notification_id

    def pairs(self) -> frozenset[Pair]:
        """The pairs of the 24 documented sub-types."""
        return frozenset(MEANING.values())

    def recognise(self, document: Document) -> bool:
        """The resource controller's prefix, or its other members around an event_type."""
        data = document.data
        if not isinstance(data, dict) or "event_type" not in data:
            return False
        claimed = (text_of(data["event_type"]) or "").lower()
        return claimed.startswith(_PREFIX) or "event_properties" in data or "event_id" in data

    def schema(self, document: Document) -> str:
        """One schema for all."""
        return _SCHEMA

    def fold(self, data: Any) -> Any:
        """IBM writes Resource_group with a capital and the rest without."""
        if isinstance(data, dict) and isinstance(data.get("event_type"), str):
            return data | {"event_type": data["event_type"].lower()}
        return data

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Documented sub-types by the table; one that IBM adds later keeps its own noun and verb."""
        data = document.data
        context, properties = mapping(data.get("context")), mapping(data.get("event_properties"))
        activity = mapping(context.get("activity"))
        named = _named(data["event_type"])
        noun, predicate = MEANING.get(named, (word(named[0]), word(named[1])))
        resource = first(
            properties.get("crn"),
            properties.get("guid"),
            activity.get("target_name"),
            data["event_id"],
        )
        return self.envelope(
            document,
            id=data["event_id"],
            source=relative_source(self.name, text_of(data.get("account_id")) or "unknown"),
            subject=Subject(noun, resource or data["event_id"]),
            predicate=predicate,
            time=event_time(document, data["timestamp"]),
            origin=origin(
                document,
                schema_id,
                id=data["event_id"],
                type=data["event_type"],
                source=text_of(data.get("account_id")),
            ),
            details=Details(
                description=text_of(activity.get("message")),
                outcome=text_of(activity.get("outcome")),
                actor=text_of(context.get("subject_id")),
                labels=labels((label, properties.get(label)) for label in _LABELS),
            ),
            open_ended=named not in MEANING,
        )


def _named(event_type: str) -> Pair:
    """``resource-controller.Resource_group.create`` -> ``("resource_group", "create")``."""
    type, _, sub_type = event_type.lower().removeprefix(_PREFIX).partition(".")
    return type or "event", sub_type or "unspecified"
