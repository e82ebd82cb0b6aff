"""GitHub: incidents by label, what closing means, and the header that says what a body is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.door import Door, envelope, headers, told
from tests.samples import Json

REPOSITORY = {"full_name": "acme/shop", "html_url": "https://github.example.test/acme/shop"}


def issue(action: str, *labels: str, label: str | None = None, **more: Any) -> Json:
    times = {"created_at": "2026-05-04T10:00:00Z", "updated_at": "2026-05-04T12:00:00Z"}
    closed = {"closed_at": "2026-05-04T11:00:00Z", "state": "closed"} if action == "closed" else {}
    held = {"number": 12, "state": "open", "labels": [{"name": name} for name in labels]}
    document: Json = {"action": action, "issue": held | times | closed | more, "repository": REPOSITORY}
    return document | ({"label": {"name": label}} if label else {})


def send(door: Door, document: Any, event: str = "issues", path: str = "/events", **more: str) -> Any:
    return door.send(document, path, headers={"X-GitHub-Event": event} | more)


def meaning(door: Door, document: Any, event: str = "issues") -> tuple[str, str]:
    """The key and the predicate that a document is published under."""
    answer = send(door, document, event)
    assert answer.status_code == 202, answer.json
    return door.published[-1].key.decode(), envelope(door.published[-1])["predicate"]


@pytest.mark.parametrize(
    ("labels", "chosen", "key"),
    [
        (["incident"], "incident", "incident/acme/shop#12"),
        (["bug", "INCIDENT"], "incident", "incident/acme/shop#12"),
        (["incidents"], "incident", "ticket/acme/shop#12"),
        ([], "incident", "ticket/acme/shop#12"),
        (["incident"], "outage,sev 1", "ticket/acme/shop#12"),
        (["Sev 1"], "outage,sev 1", "incident/acme/shop#12"),
    ],
    ids=str,
)
def test_a_label_tells_an_incident_from_a_ticket(labels: list[str], chosen: str, key: str) -> None:
    door = Door(github_incident_labels=chosen)
    assert meaning(door, issue("opened", *labels))[0] == key
    assert meaning(door, issue("closed", *labels, state_reason="completed"))[0] == key


@pytest.mark.parametrize(
    ("document", "predicate"),
    [
        (issue("opened", "incident"), "reported"),
        (issue("closed", "incident", state_reason="completed"), "resolved"),
        (issue("closed", "incident", state_reason=None), "resolved"),
        (issue("closed", "incident", state_reason="not_planned"), "closed"),
        (issue("closed", "incident", state_reason="duplicate"), "closed"),
        (issue("closed", "incident", state_reason="a later one"), "closed"),
        (issue("closed", "incident", state_reason={}), "closed"),
        (issue("labeled", "incident", label="Incident"), "reported"),
        (issue("labeled", "incident", label="Incident", state="closed"), "updated"),
        (issue("labeled", "incident", "bug", label="bug"), "updated"),
        (issue("reopened", "incident"), "reopened"),
        (issue("deleted", "incident"), "deleted"),
        (issue("transferred", "incident"), "transferred"),
        (issue("edited", "incident"), "updated"),
        (issue("pinned", "incident"), "updated"),
        (issue("resolved", "incident"), "updated"),
    ],
    ids=lambda value: value["action"] if isinstance(value, dict) else value,
)
def test_an_incident_is_over_when_it_was_closed_as_done(door: Door, document: Json, predicate: str) -> None:
    assert meaning(door, document) == ("incident/acme/shop#12", predicate)
    declared = predicate in ("reported", "resolved")
    assert door.published[0].topic == (f"events.incident.{predicate}" if declared else "events.custom")


@pytest.mark.parametrize(
    ("document", "utc"),
    [
        (issue("opened"), "2026-05-04T10:00:00Z"),
        (issue("closed"), "2026-05-04T11:00:00Z"),
        (issue("closed", closed_at=None), "2026-05-04T12:00:00Z"),
        (issue("edited"), "2026-05-04T12:00:00Z"),
    ],
    ids=["opened", "closed", "closed at no time", "edited"],
)
def test_the_time_is_that_of_what_happened(door: Door, document: Json, utc: str) -> None:
    meaning(door, document)
    assert envelope(door.published[0])["time"] == utc


@pytest.mark.parametrize(
    ("state", "key", "predicate"),
    [
        ("success", "service/acme/shop/live", "deployed"),
        ("failure", "deployment/4", "failure"),
        ("inactive", "deployment/4", "inactive"),
        ("later state", "deployment/4", "later_state"),
    ],
)
def test_a_successful_deployment_deploys_and_a_failed_one_is_no_incident(
    door: Door, state: str, key: str, predicate: str
) -> None:
    status = {"state": state, "environment": "live", "created_at": "2026-05-04T10:00:00Z"}
    document = {"deployment_status": status, "deployment": {"id": 4, "sha": "a1"}, "repository": REPOSITORY}
    assert meaning(door, document, "deployment_status") == (key, predicate)
    assert envelope(door.published[0])["details"]["artifactId"] == "a1"


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [("success", "success"), ("timed_out", "failure"), ("skipped", "cancel"), ("new", None), (None, None)],
)
def test_a_run_that_is_completed_is_finished_with_its_outcome(
    door: Door, conclusion: str | None, outcome: str | None
) -> None:
    run = {"id": 3, "run_attempt": 2, "conclusion": conclusion, "updated_at": "2026-05-04T10:00:00Z"}
    document = {"action": "completed", "workflow_run": run, "repository": REPOSITORY}
    assert meaning(door, document, "workflow_run") == ("pipelinerun/3/2", "finished")
    assert envelope(door.published[0])["details"].get("outcome") == outcome


def test_a_redelivery_has_the_id_of_the_first_delivery(door: Door) -> None:
    for delivery in ("d-1", "d-1", "d-2"):
        assert send(door, issue("opened"), **{"X-GitHub-Delivery": delivery}).status_code == 202
    assert [headers(record)["ce_id"] for record in door.published] == ["d-1", "d-1", "d-2"]


def test_a_ping_is_answered_with_an_empty_list_even_of_an_organisation(door: Door) -> None:
    for document in ({"zen": "z", "hook_id": 7}, {"hook_id": 7, "organization": {"login": "acme"}}, {}):
        answer = send(door, document, "ping")
        assert (answer.status_code, answer.json) == (202, {"events": []})
    assert door.published == []


def test_a_form_holds_the_same_as_plain_json(door: Door) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "issues"}
    sent = issue("opened", "incident", title="50 % + größer & ünscharf")
    body = urlencode({"payload": json.dumps(sent)}).encode()
    assert door.client.post("/events", data=body, headers=form).status_code == 202
    assert send(door, sent).status_code == 202
    in_a_form, plain = (envelope(record) for record in door.published)
    assert in_a_form["payload"] == plain["payload"] == sent
    assert in_a_form["details"] == plain["details"]


def test_a_form_of_nobody_is_not_read(door: Door) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert door.client.post("/events", data=b"payload=%7B%7D", headers=form).status_code == 415


@pytest.mark.parametrize("header", [{}, {"X-GitHub-Event": ""}, {"X-GitHub-Event": "  "}], ids=str)
def test_a_body_without_its_header_is_told_which_is_missing(door: Door, header: Json) -> None:
    answer = door.send(issue("opened"), "/events/github", headers=header)
    assert answer.status_code == 422
    assert "X-GitHub-Event" in told(answer)["errors"][0]["message"]


def test_the_headers_of_two_senders_are_told_both(door: Door) -> None:
    answer = send(door, issue("opened"), **{"Sentry-Hook-Resource": "issue"})
    assert (answer.status_code, told(answer)["type"]) == (422, "ambiguous-dialect")
    assert all(name in told(answer)["detail"] for name in ("github", "sentry"))


def test_what_is_refused_is_kept_with_the_headers_that_say_what_it_is_and_without_its_signature(
    door: Door,
) -> None:
    sent = {"X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": "sha256=canary"}
    assert send(door, {"action": "opened"}, path="/events/github", **sent).status_code == 422
    kept = json.loads(door.dead_letters[0].value)["request"]["headers"]
    assert (kept["x-github-event"], kept["x-github-delivery"]) == ("issues", "d-1")
    assert b"canary" not in door.dead_letters[0].value
