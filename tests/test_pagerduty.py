"""PagerDuty: what is over and what is not, who reports and what detects, and one key for all of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.door import Door, envelope, headers, told
from tests.samples import Json, deployed

INCIDENT: Json = {
    "id": "Q1",
    "type": "incident",
    "html_url": "https://acme.example.test/incidents/Q1",
    "title": "Queue stuck",
    "status": "triggered",
    "urgency": "high",
    "resolve_reason": None,
}
OF_THE_INCIDENT: Json = {"incident": {"id": "Q1", "html_url": INCIDENT["html_url"]}}


def webhook(type: str, data: Json | None = None, **event: Any) -> Json:
    given = {"id": "01E", "resource_type": "incident", "occurred_at": "2026-05-04T10:00:00Z"}
    return {"event": {"event_type": type, "data": INCIDENT if data is None else data} | given | event}


def meaning(door: Door, document: Json, path: str = "/events/pagerduty") -> tuple[str, str]:
    """The key and the predicate that a document is published under."""
    answer = door.send(document, path)
    assert answer.status_code == 202, answer.json
    (record,) = door.published
    return record.key.decode(), envelope(record)["predicate"]


@pytest.mark.parametrize(
    ("agent", "predicate"),
    [
        (None, "detected"),
        ({"type": "service_reference", "summary": "Monitor"}, "detected"),
        ({"type": "inbound_integration_reference"}, "detected"),
        ({"type": "user_reference", "summary": "Kim"}, "reported"),
    ],
    ids=str,
)
def test_a_person_reports_and_everything_else_detects(door: Door, agent: Any, predicate: str) -> None:
    assert meaning(door, webhook("incident.triggered", agent=agent)) == ("incident/Q1", predicate)


def test_what_a_person_reported_has_its_page_as_ticket(door: Door) -> None:
    door.send(webhook("incident.triggered", agent={"type": "user_reference"}), "/events/pagerduty")
    door.send(webhook("incident.triggered"), "/events/pagerduty")
    reported, detected = (envelope(record)["details"] for record in door.published)
    assert reported["ticketUri"] == INCIDENT["html_url"]
    assert "ticketUri" not in detected


@pytest.mark.parametrize(
    ("reason", "predicate"),
    [
        (None, "resolved"),
        ({"type": "another_reason"}, "resolved"),
        ("text", "resolved"),
        ({"type": "merge_resolve_reason"}, "merged"),
    ],
    ids=str,
)
@pytest.mark.parametrize("type", ["incident.resolved", "Incident.Resolved"])
def test_a_merged_incident_is_not_resolved(door: Door, type: str, reason: Any, predicate: str) -> None:
    document = webhook(type, INCIDENT | {"resolve_reason": reason})
    assert meaning(door, document) == ("incident/Q1", predicate)
    assert door.published[0].topic == f"events.{'incident.resolved' if predicate == 'resolved' else 'custom'}"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("incident.annotated", {"id": "N1", "type": "incident_note"} | OF_THE_INCIDENT),
        ("incident.responder.added", {"type": "incident_responder"} | OF_THE_INCIDENT),
        ("incident.role.assigned", {"incident_role_assignments": [OF_THE_INCIDENT]}),
        ("incident.reopened", INCIDENT),
        ("incident.acknowledged", INCIDENT | {"status": "acknowledged"}),
    ],
    ids=["note", "responder", "role", "reopened", "acknowledged"],
)
def test_whatever_happens_to_an_incident_has_its_key_and_is_custom(door: Door, type: str, data: Json) -> None:
    key, predicate = meaning(door, webhook(type, data))
    assert (key, predicate) == ("incident/Q1", type.partition(".")[2].replace(".", "_"))
    assert door.published[0].topic == "events.custom"
    assert envelope(door.published[0])["vocabulary"] == "custom"
    assert headers(door.published[0])["ce_source"] == "https://acme.example.test"


@pytest.mark.parametrize("assigned", [[], None, "text", [None], [{"incident": None}]], ids=str)
def test_a_shape_that_is_not_known_is_taken_all_the_same(door: Door, assigned: Any) -> None:
    document = webhook("incident.role.assigned", {"incident_role_assignments": assigned})
    assert meaning(door, document) == ("incident/01E", "role_assigned")


def test_a_ping_is_answered_with_an_empty_list(door: Door) -> None:
    answer = door.send(webhook("pagey.ping", {"type": "ping"}, resource_type="pagey"), "/events/pagerduty")
    assert (answer.status_code, answer.json) == (202, {"events": []})
    assert door.published == []


def test_a_webhook_of_version_2_is_refused(door: Door) -> None:
    answer = door.send({"messages": []}, "/events/pagerduty")
    assert told(answer)["detail"] == "does not match pagerduty/event.schema.json"
    assert door.send({"messages": []}).status_code == 422


def test_another_system_may_be_signed_as_pagerduty_signs(door: Door) -> None:
    answer = door.send(deployed(), headers={"X-PagerDuty-Signature": "v1=0"})
    assert answer.status_code == 202
