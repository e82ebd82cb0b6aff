"""Alertmanager and Grafana: what a user of each reads in the topics, and what the gateway is told beside."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import SettingsError
from tests.door import STRUCTURED, Door, envelope, headers, told
from tests.examples import SCHEMAS
from tests.keys import bearer, guarded, hashed, principal, read
from tests.samples import Json, cloudevent

ALERT: Json = {
    "status": "firing",
    "labels": {"alertname": "DiskFull"},
    "startsAt": "2026-05-04T10:11:12Z",
    "endsAt": "2026-05-04T10:41:12Z",
    "fingerprint": "5ef77f1f8a3ecfab",
}
TEST_ALERT: Json = ALERT | {"labels": {"alertname": "TestAlert", "instance": "Grafana"}}


def alertmanager(*alerts: Json, **more: Any) -> Json:
    return {"version": "4", "alerts": list(alerts) or [ALERT], **more}


def grafana(*alerts: Json, **more: Any) -> Json:
    return {"version": "1", "orgId": 1, "alerts": list(alerts) or [ALERT], **more}


def details(door: Door, **alert: Any) -> Json:
    door.send(alertmanager(ALERT | alert))
    return dict(envelope(door.published[-1])["details"])


@pytest.mark.parametrize(
    ("member", "label", "rivals"),
    [
        ("severity", "severity", {"level": "x", "priority": "y"}),
        ("severity", "level", {"severity": "", "priority": "y"}),
        ("severity", "priority", {}),
        ("service", "service", {"service_name": "x", "app": "y", "job": "z"}),
        ("service", "service_name", {"service": "", "app": "y", "job": "z"}),
        ("service", "app", {"job": "z"}),
        ("service", "job", {}),
        ("environment", "environment", {"env": "x", "deployment_environment": "y"}),
        ("environment", "env", {"deployment_environment": "y"}),
        ("environment", "deployment_environment", {}),
    ],
)
def test_the_first_label_that_is_not_empty_tells(
    door: Door, member: str, label: str, rivals: dict[str, str]
) -> None:
    found = details(door, labels={label: "chosen", **rivals})[member]
    assert found == "chosen" or found == {"id": "chosen"}


@pytest.mark.parametrize("name", ["description", "summary", "message"])
def test_an_annotation_describes(door: Door, name: str) -> None:
    assert details(door, annotations={name: "full", "runbook": "x"})["description"] == "full"


def test_all_labels_are_kept(door: Door) -> None:
    given = {"alertname": "DiskFull", "größe": "1", "a.b/c": "2"}
    assert details(door, labels=given)["labels"] == given


def test_an_alert_happened_when_it_began_or_ended(door: Door) -> None:
    door.send(alertmanager(ALERT, ALERT | {"status": "resolved"}))
    assert [envelope(record)["time"] for record in door.published] == [ALERT["startsAt"], ALERT["endsAt"]]


def test_the_status_of_the_group_decides_nothing(door: Door) -> None:
    door.send(alertmanager(ALERT | {"status": "resolved"}, status="firing"))
    assert envelope(door.published[0])["predicate"] == "resolved"


def test_alerts_that_the_sender_left_out_are_told_to_the_operator(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = door.send(alertmanager(truncatedAlerts=7))
    assert len(told(answer)["events"]) == 1
    assert [vars(r)["told"] for r in caplog.records if r.message == "control message"] == [
        "7 alerts were left out by the sender: see its max_alerts"
    ]


def test_a_group_may_come_in_a_cloudevent(door: Door) -> None:
    answer = door.send(cloudevent(alertmanager(ALERT, ALERT | {"fingerprint": "0"})), content_type=STRUCTURED)
    assert [event["key"] for event in told(answer)["events"]] == ["incident/5ef77f1f8a3ecfab", "incident/0"]
    assert told(answer)["events"][0]["id"] == "5ef77f1f8a3ecfab:firing:2026-05-04T10:11:12Z"


# -- where it comes from ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "source"),
    [({"externalURL": "https://am.example.test"}, "https://am.example.test"), ({}, "/alertmanager")],
)
def test_the_source_is_the_senders_own_address_where_it_tells_it(door: Door, more: Json, source: str) -> None:
    door.send(alertmanager(**more))
    assert headers(door.published[0])["ce_source"] == source


def test_a_principal_may_have_a_source_that_its_replicas_share(tmp_path: Path) -> None:
    lines = principal("ha", hashed("bearer", "replica"), more='source = "/monitoring/eu"')
    door = guarded(tmp_path, lines)
    for replica in ("https://am-0.example.test", "https://am-1.example.test"):
        door.send(alertmanager(externalURL=replica), headers=bearer("replica"))
    first, second = door.published
    assert headers(first)["ce_source"] == headers(second)["ce_source"] == "/monitoring/eu"
    assert headers(first)["ce_id"] == headers(second)["ce_id"]
    assert envelope(second)["origin"]["source"] == "https://am-1.example.test"


def test_the_source_of_a_principal_is_kept_for_a_replay(tmp_path: Path) -> None:
    door = guarded(tmp_path, principal("ha", hashed("bearer", "replica"), more='source = "/monitoring/eu"'))
    door.send(alertmanager(ALERT | {"status": "wobbling"}), headers=bearer("replica"))
    (letter,) = door.dead_letters
    assert json.loads(letter.value)["request"]["source"] == "/monitoring/eu"


@pytest.mark.parametrize("source", ["", "not a uri", "https://[x"])
def test_a_source_that_is_no_uri_reference_is_a_fault_of_the_file(tmp_path: Path, source: str) -> None:
    with pytest.raises(SettingsError, match="source"):
        read(tmp_path, principal("ha", hashed("bearer", "x"), more=f'source = "{source}"'))


def test_a_principal_may_send_all_systems(tmp_path: Path) -> None:
    door = guarded(tmp_path, principal("any", hashed("bearer", "x"), systems=["all"]))
    assert door.send(alertmanager(), headers=bearer("x")).status_code == 202


# -- Grafana ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urls", "shown"),
    [
        ({"panelURL": "https://g.example/p", "dashboardURL": "https://g.example/d"}, "https://g.example/p"),
        ({"panelURL": "", "dashboardURL": "https://g.example/d"}, "https://g.example/d"),
        ({"generatorURL": "https://g.example/a"}, "https://g.example/a"),
    ],
)
def test_the_page_of_an_alert_is_its_panel_else_its_dashboard(door: Door, urls: Json, shown: str) -> None:
    door.send(grafana(ALERT | urls))
    assert envelope(door.published[0])["details"]["url"] == shown


def test_a_test_alert_is_published_unless_told_otherwise(door: Door) -> None:
    assert len(told(door.send(grafana(TEST_ALERT)))["events"]) == 1


@pytest.fixture(scope="module")
def dropping() -> Door:
    return Door(grafana_drop_tests="true", systems="grafana")


def test_a_test_alert_is_a_control_message_when_tests_are_dropped(dropping: Door) -> None:
    example = SCHEMAS / "grafana" / "examples" / "valid" / "test-button.json"
    answer = dropping.send(example.read_bytes(), "/events/grafana")
    assert (answer.status_code, told(answer)) == (202, {"events": []})
    line = 'gateway_control_messages_total{kind="test",system="grafana"} 1.0'
    assert line in dropping.client.get("/metrics").text
    assert dropping.publisher.records == []


@pytest.mark.parametrize("body", [grafana(TEST_ALERT, ALERT), grafana()], ids=["beside another", "no test"])
def test_an_alert_is_never_dropped_as_a_test(dropping: Door, body: Json) -> None:
    assert len(told(dropping.send(body))["events"]) == len(body["alerts"])


def test_a_control_message_is_for_those_who_may_send_its_system(tmp_path: Path) -> None:
    lines = principal("ci", hashed("bearer", "x"), systems=["ctoai"])
    door = guarded(tmp_path, lines, grafana_drop_tests="true")
    answer = door.send(grafana(TEST_ALERT), headers=bearer("x"))
    assert (answer.status_code, told(answer)["type"]) == (403, "forbidden")
    assert "gateway_control_messages_total{" not in door.client.get("/metrics").text
