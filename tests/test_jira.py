"""Jira: incidents by the name of the issue's type, and over only when a status of "done" was set just now."""

from __future__ import annotations

from typing import Any

import pytest

from tests.door import Door, envelope, headers
from tests.samples import Json


def webhook(event: str, *, type: str = "Incident", category: Any = "new", **more: Any) -> Json:
    status = {"name": "s", "statusCategory": {"key": category}}
    fields = {"issuetype": {"name": type}, "status": status, "summary": "Mail is down"}
    issue = {
        "id": "10042",
        "key": "OPS-7",
        "self": "https://j.example.test/rest/api/2/10042",
        "fields": fields,
    }
    return {"timestamp": 1_777_888_800_123, "webhookEvent": event, "issue": issue} | more


def changed(*fields: str, fieldtype: str = "jira", id: str = "7") -> Json:
    return {"id": id, "items": [{"field": field, "fieldtype": fieldtype} for field in fields]}


def meaning(door: Door, document: Json, **sent: Any) -> tuple[str, str]:
    """The key and the predicate that a document is published under."""
    answer = door.send(document, "/events/jira", **sent)
    assert answer.status_code == 202, answer.json
    return door.published[-1].key.decode(), envelope(door.published[-1])["predicate"]


@pytest.mark.parametrize(
    ("type", "types", "key"),
    [
        ("[System] Incident", "incident", "incident/10042"),
        ("INCIDENT", "incident", "incident/10042"),
        ("Major incidents", "incident", "incident/10042"),
        ("Task", "incident", "ticket/10042"),
        ("Incident", "outage, Störung", "ticket/10042"),
        ("Große STÖRUNG", "outage, Störung", "incident/10042"),
    ],
)
def test_the_type_of_an_issue_tells_an_incident_from_a_ticket(type: str, types: str, key: str) -> None:
    door = Door(jira_incident_types=types)
    told = "reported" if key.startswith("incident") else "created"
    assert meaning(door, webhook("jira:issue_created", type=type)) == (key, told)


DONE: Json = {"category": "done", "changelog": changed("resolution", "status")}


@pytest.mark.parametrize(
    ("update", "over"),
    [
        (DONE, True),
        (DONE | {"category": "indeterminate"}, False),
        (DONE | {"category": "undefined"}, False),
        (DONE | {"category": None}, False),
        (DONE | {"changelog": changed("summary")}, False),
        (DONE | {"changelog": changed("status", fieldtype="custom")}, False),
        (DONE | {"changelog": changed()}, False),
        (DONE | {"changelog": None}, False),
        (DONE | {"changelog": {"items": [None, "status"]}}, False),
        ({"category": "done", "comment": {"id": "1"}}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("type", "words"), [("Incident", ("resolved", "updated")), ("Bug", ("closed", "updated"))]
)
def test_it_is_over_when_a_status_of_the_category_done_was_set_just_now(
    door: Door, type: str, words: tuple[str, str], update: Json, over: bool
) -> None:
    _, predicate = meaning(door, webhook("jira:issue_updated", type=type, **update))
    assert predicate == words[0 if over else 1]


def test_a_deleted_incident_is_not_resolved_though_it_was(door: Door) -> None:
    assert meaning(door, webhook("jira:issue_deleted", **DONE)) == ("incident/10042", "deleted")
    assert door.published[0].topic == "events.custom"


def test_all_of_an_incident_has_one_key_though_the_issue_is_moved(door: Door) -> None:
    moved = webhook("jira:issue_updated", **DONE)
    moved["issue"]["key"] = "MAIL-1"
    assert meaning(door, webhook("jira:issue_created"))[0] == meaning(door, moved)[0]


@pytest.mark.parametrize(
    ("again", "same"), [({}, True), ({"X-Atlassian-Webhook-Retry": "1"}, True), ({"x": "other"}, False)]
)
def test_a_retry_has_the_id_of_the_first_try(door: Door, again: Json, same: bool) -> None:
    own = "X-Atlassian-Webhook-Identifier"
    for number, more in enumerate(({}, again)):
        identifier = {own: "d-1" if same else f"d-{number}"}
        meaning(door, webhook("jira:issue_created"), headers=identifier | more)
    first, second = (headers(record)["ce_id"] for record in door.published)
    assert (first == second) is same


def test_without_the_header_each_change_has_an_id_of_its_own(door: Door) -> None:
    for id in ("7", "7", "8"):
        meaning(door, webhook("jira:issue_updated", category="done", changelog=changed("status", id=id)))
    first, again, other = (headers(record)["ce_id"] for record in door.published)
    assert first == again != other


@pytest.mark.parametrize(
    ("self", "source"),
    [
        ("https://acme.example.test/rest/api/2/10042", "https://acme.example.test"),
        ("https://jira.example.test/jira/rest/api/2/issue/10042", "https://jira.example.test/jira"),
        ("https://jira.example.test:8443/x/rest/agile/1.0/5", "https://jira.example.test:8443/x"),
        ("https://jira.example.test/somewhere", "https://jira.example.test"),
    ],
)
def test_the_page_of_an_issue_lies_where_its_jira_is(door: Door, self: str, source: str) -> None:
    document = webhook("jira:issue_created")
    document["issue"]["self"] = self
    meaning(door, document)
    assert headers(door.published[0])["ce_source"] == source
    assert envelope(door.published[0])["details"]["ticketUri"] == f"{source}/browse/OPS-7"


@pytest.mark.parametrize(
    ("timestamp", "utc"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_777_888_800_001, "2026-05-04T10:00:00.001Z"),
        (1_777_888_800_000.0, "2026-05-04T10:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_time_is_in_milliseconds(door: Door, timestamp: float, utc: str) -> None:
    meaning(door, webhook("jira:issue_created") | {"timestamp": timestamp})
    assert envelope(door.published[0])["time"] == utc


@pytest.mark.parametrize("event", ["_", "x", "jira:", "jira:issue_resolved", "Comment_Created", " _ "])
def test_an_event_that_is_not_known_is_custom(door: Door, event: str) -> None:
    meaning(door, webhook(event))
    assert door.published[0].topic == "events.custom"
