"""Sentry: alerts and issues, their two spaces of ids, and the times and ids that its bodies lack."""

from __future__ import annotations

from typing import Any

import pytest

from tests.door import Door, envelope, headers, told
from tests.samples import Json

EVENT = {"event_id": "e1", "issue_id": "7", "datetime": "2026-05-04T10:00:00.677000Z"}
ALERT = {"id": "7", "date_started": "2026-05-04T10:00:00Z", "date_detected": "2026-05-04T10:01:00Z"}


def hook(action: str, **data: Any) -> Json:
    return {"action": action, "data": data}


def issue(action: str, **members: Any) -> Json:
    return hook(action, issue={"id": "7"} | members)


def send(door: Door, resource: str, document: Json, **more: str) -> Any:
    return door.send(document, headers={"Sentry-Hook-Resource": resource} | more)


def meaning(door: Door, resource: str, document: Json, **more: str) -> tuple[str, str]:
    """The key and the predicate that a document is published under."""
    answer = send(door, resource, document, **more)
    assert answer.status_code == 202, answer.json
    return door.published[-1].key.decode(), envelope(door.published[-1])["predicate"]


@pytest.mark.parametrize(
    ("resource", "document", "key", "predicate"),
    [
        ("event_alert", hook("triggered", event=EVENT), "incident/7", "detected"),
        ("metric_alert", hook("critical", metric_alert=ALERT), "incident/metric_alert/7", "detected"),
        ("metric_alert", hook("warning", metric_alert=ALERT), "incident/metric_alert/7", "detected"),
        ("metric_alert", hook("open", metric_alert=ALERT), "incident/metric_alert/7", "detected"),
        ("metric_alert", hook("resolved", metric_alert=ALERT), "incident/metric_alert/7", "resolved"),
        ("issue", issue("created"), "incident/7", "detected"),
        ("issue", issue("resolved"), "incident/7", "resolved"),
        ("issue", issue("unresolved"), "issue/7", "unresolved"),
        ("issue", issue("assigned"), "issue/7", "assigned"),
        ("issue", issue("archived"), "issue/7", "archived"),
        ("issue", issue("ignored", status="resolved"), "issue/7", "ignored"),
        ("error", hook("created", error=EVENT), "error/e1", "created"),
        ("comment", hook("created", comment="text", comment_id=5), "comment/5", "created"),
        ("later", hook("resolved", later={"id": 1.0}), "later/1", "resolved"),
    ],
    ids=str,
)
def test_alerts_fire_and_clear_and_all_else_is_custom(
    door: Door, resource: str, document: Json, key: str, predicate: str
) -> None:
    assert meaning(door, resource, document) == (key, predicate)
    of_an_incident = key.startswith("incident/")
    assert door.published[0].topic == (f"events.incident.{predicate}" if of_an_incident else "events.custom")


@pytest.mark.parametrize(
    ("resource", "document", "utc"),
    [
        ("event_alert", hook("triggered", event=EVENT), "2026-05-04T10:00:00.677Z"),
        ("metric_alert", hook("critical", metric_alert=ALERT), "2026-05-04T10:00:00Z"),
        (
            "metric_alert",
            hook("resolved", metric_alert=ALERT | {"date_closed": "2026-05-04T10:30:00Z"}),
            "2026-05-04T10:30:00Z",
        ),
        (
            "metric_alert",
            hook("resolved", metric_alert=ALERT | {"date_closed": None}),
            "2026-05-04T11:00:00Z",
        ),
        ("metric_alert", hook("resolved", metric_alert=ALERT), "2026-05-04T11:00:00Z"),
        ("issue", issue("created", firstSeen="2026-05-04T09:00:00Z"), "2026-05-04T09:00:00Z"),
        ("issue", issue("created", firstSeen=None), "2026-05-04T11:00:00Z"),
        ("issue", issue("resolved", firstSeen="2026-05-04T09:00:00Z"), "2026-05-04T11:00:00Z"),
    ],
    ids=str,
)
def test_the_time_of_another_change_is_never_taken(
    door: Door, resource: str, document: Json, utc: str
) -> None:
    meaning(door, resource, document, **{"Sentry-Hook-Timestamp": "1777892400"})
    assert envelope(door.published[0])["time"] == utc


@pytest.mark.parametrize("sent", ["", "soon", "-1", "1e9", "9" * 30, "2026-05-04"])
def test_a_time_of_sending_that_is_none_is_not_used(door: Door, sent: str) -> None:
    meaning(door, "issue", issue("resolved"), **{"Sentry-Hook-Timestamp": sent})
    found = envelope(door.published[0])
    assert found["time"] == found["receivedTime"]


def ids(door: Door) -> list[str]:
    return [headers(record)["ce_id"] for record in door.published]


@pytest.mark.parametrize(
    ("resource", "document"),
    [
        ("event_alert", hook("triggered", event=EVENT, triggered_rule="r")),
        ("metric_alert", hook("critical", metric_alert=ALERT)),
        ("metric_alert", hook("resolved", metric_alert=ALERT)),
        ("issue", issue("created")),
    ],
    ids=str,
)
def test_a_second_attempt_has_the_id_of_the_first_though_its_request_has_another(
    door: Door, resource: str, document: Json
) -> None:
    for attempt in ("a" * 32, "b" * 32):
        meaning(door, resource, document, **{"Request-ID": attempt})
    first, second = ids(door)
    assert first == second


def test_what_happens_to_an_issue_twice_is_two_events(door: Door) -> None:
    for request in ("a" * 32, "b" * 32):
        meaning(door, "issue", issue("resolved"), **{"Request-ID": request})
    first, second = ids(door)
    assert first != second


def test_actions_of_one_alert_are_events_of_their_own(door: Door) -> None:
    for action in ("warning", "critical", "resolved"):
        meaning(door, "metric_alert", hook(action, metric_alert=ALERT))
    for action in ("triggered", "later"):
        meaning(door, "event_alert", hook(action, event=EVENT, triggered_rule="r"))
    assert len(set(ids(door))) == 5


@pytest.mark.parametrize(
    ("link", "source"),
    [
        ("https://acme.sentry.example.test/issues/7/", "https://acme.sentry.example.test"),
        (
            "https://s.example.test/organizations/acme/issues/7/?x=1",
            "https://s.example.test/organizations/acme",
        ),
        ("https://s.example.test/organizations/acme", "https://s.example.test/organizations/acme"),
        ("no link", "/sentry/u-1"),
        (None, "/sentry/u-1"),
    ],
)
def test_the_source_is_the_organisation(door: Door, link: str | None, source: str) -> None:
    meaning(door, "issue", issue("created", web_url=link) | {"installation": {"uuid": "u-1"}})
    assert headers(door.published[0])["ce_source"] == source


@pytest.mark.parametrize(
    ("tags", "labels"),
    [
        ([["browser", "Firefox"], ["n", 5]], {"browser": "Firefox", "n": "5"}),
        ([["a"], "b", None, [1, 2], ["c", None], ["d", "e", "f"]], {}),
        ({"a": "b"}, {}),
        (None, {}),
    ],
    ids=str,
)
def test_tags_become_labels(door: Door, tags: Any, labels: Json) -> None:
    meaning(door, "event_alert", hook("triggered", event=EVENT | {"tags": tags}))
    assert envelope(door.published[0])["details"].get("labels", {}) == labels


@pytest.mark.parametrize("document", [hook("created"), {"action": "deleted"}, {}, []], ids=str)
def test_an_installation_is_answered_with_an_empty_list(door: Door, document: Any) -> None:
    answer = send(door, "installation", document)
    assert (answer.status_code, answer.json) == (202, {"events": []})
    assert door.published == []


def test_a_body_without_its_header_is_told_which_is_missing(door: Door) -> None:
    answer = door.send(issue("created"), "/events/sentry")
    assert answer.status_code == 422
    assert "Sentry-Hook-Resource" in told(answer)["errors"][0]["message"]


def test_by_default_sentry_is_in_haste_and_nobody_else() -> None:
    door = Door()
    meaning(door, "issue", issue("created"))
    door.send({"event_name": "build", "event_action": "failed", "team_id": "t"}, "/events/ctoai")
    assert [haste.budget for haste in door.publisher.hastes] == [0.3, None]


def test_the_haste_of_a_system_is_a_setting() -> None:
    door = Door(system_ack="sentry=spool", system_ack_budget_ms="ctoai=50,sentry=799", ack_budget_ms="400")
    meaning(door, "issue", issue("created"))
    door.send({"event_name": "build", "event_action": "failed", "team_id": "t"}, "/events/ctoai")
    told = [(haste.budget, haste.spool) for haste in door.publisher.hastes]
    assert told == [(None, True), (0.05, False)], "a budget longer than that of all is none"
