"""ServiceNow, Datadog, Google Cloud, Azure Monitor, CloudWatch, Uptime Kuma: what is over and what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.door import Door, envelope, pointers, told
from tests.keys import principal
from tests.samples import Json, without
from tests.test_sns_signatures import (
    CONFIRMATION,
    NOTIFICATION,
    STRANGERS_KEY,
    TOPIC,
    certificate,
    credential,
    signed,
)

RECORD: Json = {
    "schema": "servicenow-record-1",
    "instance": "https://acme.example.test",
    "table": "incident",
    "operation": "update",
    "sys_id": "9d385017c611228701d22104cc95c371",
    "state": "2",
    "previous_state": "2",
    "opened_at": "2026-05-04 10:00:00",
    "resolved_at": "2026-05-04 11:00:00",
    "sys_updated_on": "2026-05-04 12:00:00",
    "sys_mod_count": "3",
}
MONITOR: Json = {
    "schema": "datadog-monitor-1",
    "id": "7",
    "date": "1777888800000",
    "alert_transition": "Triggered",
    "alert_cycle_key": "c1",
}
INCIDENT: Json = {"incident_id": "0.a", "state": "open", "started_at": 1777888800, "ended_at": None}
ALERT: Json = {
    "alertId": "/subscriptions/11111111/providers/Microsoft.AlertsManagement/alerts/a1",
    "monitorCondition": "Fired",
    "signalType": "Metric",
    "firedDateTime": "2026-05-04T10:00:00.1234567Z",
}
ALARM: Json = {
    "AlarmName": "cpu",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu",
    "NewStateValue": "ALARM",
    "OldStateValue": "OK",
    "StateChangeTime": "2026-05-04T10:00:00.123+0000",
}
BEAT: Json = {"monitorID": 3, "status": 0, "time": "2026-05-04 10:00:00.123", "msg": "timeout"}
SNS = {"x-amz-sns-message-type": "Notification"}
PLAIN = "text/plain; charset=UTF-8"


def google(**changes: Any) -> Json:
    return {"version": "1.2", "incident": INCIDENT | changes}


def azure(**changes: Any) -> Json:
    return {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": ALERT | changes}}


def sns(**changes: Any) -> Json:
    message = json.dumps(ALARM | changes)
    return NOTIFICATION | {"Message": message, "Signature": "AAAA"}


def kuma(**changes: Any) -> Json:
    return {"heartbeat": BEAT | changes, "monitor": {"id": 3, "name": "shop"}, "msg": "[shop] timeout"}


def came_out(door: Door, system: str, document: Json) -> Json:
    answer = door.send(document, f"/events/{system}", headers=SNS if system == "cloudwatch" else {})
    assert answer.status_code == 202, answer.json
    return envelope(door.published[-1])


def meaning(door: Door, system: str, document: Json) -> str:
    found = came_out(door, system, document)
    return f"{found['subject']['type']} {found['predicate']}"


# -- fires and ends -----------------------------------------------------------------------------------------

ENDS = {
    "servicenow": (RECORD | {"operation": "insert", "state": "1"}, RECORD | {"state": "6"}),
    "datadog": (MONITOR, MONITOR | {"alert_transition": "Recovered", "id": "8"}),
    "googlecloud": (google(), google(state="closed", ended_at=1777890000)),
    "azuremonitor": (azure(), azure(monitorCondition="Resolved", resolvedDateTime="2026-05-04T11:00:00Z")),
    "cloudwatch": (sns(), sns(NewStateValue="OK", OldStateValue="ALARM")),
    "uptimekuma": (kuma(), kuma(status=1)),
}


@pytest.mark.parametrize("system", ENDS)
def test_what_fires_and_what_ends_have_one_key_and_two_ids(door: Door, system: str) -> None:
    starts, ends = (came_out(door, system, document) for document in ENDS[system])
    first, second = door.published
    assert (starts["predicate"] in ("detected", "reported"), ends["predicate"]) == (True, "resolved")
    assert first.key == second.key
    assert first.id != second.id


# -- ServiceNow ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "before", "after", "predicate"),
    [
        ("insert", None, "1", "reported"),
        ("insert", None, "6", "reported"),
        ("insert", None, "8", "canceled"),
        ("update", "2", "6", "resolved"),
        ("update", "2", "7", "resolved"),
        ("update", None, "6", "resolved"),
        ("update", None, "7", "resolved"),
        ("update", "6", "7", "closed"),
        ("update", "6", "6", "updated"),
        ("update", "7", "7", "updated"),
        ("update", "6", "2", "reopened"),
        ("update", "7", "1", "reopened"),
        ("update", "2", "8", "canceled"),
        ("update", "1", "2", "updated"),
        ("update", "6", "42", "updated"),
        ("delete", "6", "6", "deleted"),
    ],
)
def test_the_states_before_and_after_tell_what_happened(
    door: Door, operation: str, before: str | None, after: str, predicate: str
) -> None:
    record = RECORD | {"operation": operation, "previous_state": before, "state": after}
    assert meaning(door, "servicenow", record) == f"incident {predicate}"


@pytest.mark.parametrize(
    ("changes", "time"),
    [
        ({"operation": "insert", "state": "1"}, "10:00:00"),
        ({"state": "6"}, "11:00:00"),
        ({"state": "3"}, "12:00:00"),
        ({"state": "6", "resolved_at": None}, "12:00:00"),
    ],
)
def test_each_transition_has_its_own_time(door: Door, changes: Json, time: str) -> None:
    assert came_out(door, "servicenow", RECORD | changes)["time"] == f"2026-05-04T{time}Z"


def test_a_record_of_another_table_keeps_its_own_words(door: Door) -> None:
    assert meaning(door, "servicenow", RECORD | {"table": "change_request"}) == "change_request updated"


# -- Datadog ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unset", ["", "$SERVICE", "$TAGS[service]"])
def test_a_variable_without_a_value_is_absent(door: Door, unset: str) -> None:
    document = MONITOR | {"service": unset, "link": unset, "alert_cycle_key": unset, "aggreg_key": "g1"}
    found = came_out(door, "datadog", document)
    assert "service" not in found["details"]
    assert found["subject"]["id"] == "g1"


@pytest.mark.parametrize(
    ("transition", "pair"),
    [
        ("Re-Triggered", "incident detected"),
        ("WARN", "incident detected"),
        ("No Data", "monitor no_data"),
        ("Null", "monitor notified"),
        ("$ALERT_TRANSITION", "monitor notified"),
        ("Resolved by hand", "monitor notified"),
    ],
)
def test_only_recovered_is_over(door: Door, transition: str, pair: str) -> None:
    assert meaning(door, "datadog", MONITOR | {"alert_transition": transition}) == pair


def test_a_renotification_is_a_repeat(door: Door) -> None:
    for number, transition in enumerate(["Triggered", "Renotify", "Re-Triggered"]):
        came_out(door, "datadog", MONITOR | {"id": str(number), "alert_transition": transition})
    assert len({record.id for record in door.published}) == 1


# -- Google Cloud, Azure Monitor ----------------------------------------------------------------------------


def test_the_test_button_of_google_is_no_incident(door: Door) -> None:
    answer = door.send(google(started_at=0) | {"version": "test"}, "/events/googlecloud")
    assert (answer.status_code, told(answer)) == (202, {"events": []})
    assert door.published == []


def test_a_closed_incident_has_the_time_of_its_end(door: Door) -> None:
    assert (
        came_out(door, "googlecloud", google(state="CLOSED", ended_at=1777890000))["time"]
        == "2026-05-04T10:20:00Z"
    )
    assert door.send(google(state="closed"), "/events/googlecloud").status_code == 422


@pytest.mark.parametrize("condition", ["Fired", "Resolved"])
def test_what_the_activity_log_tells_is_no_incident(door: Door, condition: str) -> None:
    document = azure(monitorCondition=condition, signalType="Activity Log")
    assert meaning(door, "azuremonitor", document) == f"alert {condition.lower()}"


def test_an_end_without_a_time_has_that_of_its_arrival(door: Door) -> None:
    found = came_out(door, "azuremonitor", azure(monitorCondition="Resolved"))
    assert found["time"] == found["receivedTime"]


# -- CloudWatch ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "pair"),
    [
        ("INSUFFICIENT_DATA", "OK", "alarm ok"),
        (None, "OK", "incident resolved"),
        ("ALARM", "INSUFFICIENT_DATA", "alarm insufficient_data"),
        ("INSUFFICIENT_DATA", "ALARM", "incident detected"),
    ],
)
def test_an_alarm_that_had_no_data_is_not_over(door: Door, before: str | None, after: str, pair: str) -> None:
    alarm = sns(NewStateValue=after, OldStateValue=before) if before else sns(NewStateValue=after)
    if before is None:
        alarm["Message"] = json.dumps(without(ALARM, "OldStateValue") | {"NewStateValue": after})
    assert meaning(door, "cloudwatch", alarm) == pair


def test_the_header_of_sns_is_its_mark_whatever_the_media_type_says(door: Door) -> None:
    answer = door.send(sns(), content_type=PLAIN, headers=SNS)
    assert told(answer)["events"][0]["key"] == f"incident/{ALARM['AlarmArn']}"
    assert door.send(sns(), content_type=PLAIN).status_code == 415


def test_raw_delivery_is_the_alarm_itself(door: Door) -> None:
    more = {"x-amz-sns-rawdelivery": "true", "x-amz-sns-topic-arn": TOPIC, "x-amz-sns-message-id": "m-9"}
    assert door.send(ALARM, content_type=PLAIN, headers=SNS | more).status_code == 202
    assert envelope(door.published[0])["origin"]["id"] == "m-9"
    assert door.published[0].source == TOPIC


@pytest.mark.parametrize("message", ["hello", "{}", "[]", '{"AlarmName": 1}', '{"a": '])
def test_another_message_of_the_topic_is_refused_with_its_place(door: Door, message: str) -> None:
    answer = door.send(sns() | {"Message": message}, content_type=PLAIN, headers=SNS)
    assert answer.status_code == 422
    assert all(pointer.startswith("/Message") for pointer in pointers(answer))


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_is_no_event(door: Door, kind: str) -> None:
    headers = {"x-amz-sns-message-type": kind}
    answer = door.send(CONFIRMATION | {"Type": kind}, content_type=PLAIN, headers=headers)
    assert (answer.status_code, told(answer)) == (202, {"events": []})


def test_what_sns_signed_is_taken_and_what_a_stranger_signed_is_not(tmp_path: Path) -> None:
    (tmp_path / "sns.pem").write_bytes(certificate())
    file = tmp_path / "credentials.toml"
    file.write_text(principal("aws", credential(), systems=["cloudwatch"]))
    file.chmod(0o600)
    door = Door(credentials_file=str(file), systems="cloudwatch")
    alarm = without(sns(), "Signature")
    assert door.send(signed(alarm), content_type=PLAIN, headers=SNS).status_code == 202
    assert door.send(signed(alarm, STRANGERS_KEY), content_type=PLAIN, headers=SNS).status_code == 401
    changed = json.loads(signed(alarm))
    changed["Message"] = changed["Message"].replace("ALARM", "OK")
    assert door.send(changed, content_type=PLAIN, headers=SNS).status_code == 401
    assert len(door.published) == 1


# -- Uptime Kuma --------------------------------------------------------------------------------------------


def test_a_notice_of_no_monitor_is_no_event(door: Door) -> None:
    notice = {"heartbeat": None, "monitor": None, "msg": "Certificate expires in 7 days"}
    answer = door.send(notice, "/events/uptimekuma")
    assert (answer.status_code, told(answer)) == (202, {"events": []})


@pytest.mark.parametrize(("status", "pair"), [(2, "monitor pending"), (3, "monitor maintenance")])
def test_neither_pending_nor_maintenance_is_over(door: Door, status: int, pair: str) -> None:
    assert meaning(door, "uptimekuma", kuma(status=status)) == pair
