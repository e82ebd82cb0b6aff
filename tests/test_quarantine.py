"""Systems in quarantine: what they send is never refused once it is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import GatewayError, Overloaded, RecordRefused, SettingsError, TooLarge, Unavailable
from tests.consumer_schemas import assert_is_dead_letter
from tests.door import BATCHED, Door, told
from tests.samples import bound, cloudevent, deployed, detected
from tests.test_operations import counted

pytestmark = pytest.mark.usefixtures("front")

BAD = deployed(event_action="wobbled")
TOPIC = "events.deadletter"


@pytest.fixture
def door() -> Door:
    return Door(quarantine_systems="ctoai,incidents")


def test_a_refused_event_is_202_and_says_where_it_is_kept(door: Door) -> None:
    plain = told(Door().send(BAD))
    answer = door.send(BAD)
    id = answer.headers["X-Request-Id"]
    assert answer.status_code == 202
    assert told(answer) == {
        "events": [],
        "deadLetter": {
            "requestId": id,
            "problem": plain | {"requestId": id},
            "topic": TOPIC,
            "outcome": "published",
            "partition": 0,
            "offset": 0,
        },
    }
    (record,) = door.dead_letters
    assert_is_dead_letter(record.value)
    assert json.loads(json.loads(record.value)["request"]["body"]) == BAD
    assert counted(door) == {"ctoai rejected": 1}


def test_it_may_lie_in_the_spool(door: Door) -> None:
    door.publisher.spooling = True
    kept = told(door.send(BAD))["deadLetter"]
    assert (kept["outcome"], kept["partition"], kept["offset"]) == ("spooled", None, None)


@pytest.mark.parametrize(
    ("body", "path", "content_type", "status"),
    [
        pytest.param(b"{", "/events/ctoai", "application/json", 202, id="by its path"),
        pytest.param(b"{", "/events/tracker", "application/json", 400, id="by another path"),
        pytest.param(b"{", "/events", "application/json", 400, id="nobody knows whose"),
        pytest.param({}, "/events/cdevents", "application/json", 422, id="another system"),
        pytest.param([cloudevent(), cloudevent(BAD)], "/events", BATCHED, 202, id="batch"),
        pytest.param([bound(detected()), cloudevent(BAD)], "/events", BATCHED, 422, id="mixed batch"),
        pytest.param([7, cloudevent(BAD)], "/events", BATCHED, 422, id="batch with something unknown"),
    ],
)
def test_only_requests_of_quarantined_systems_alone_are_taken(
    door: Door, body: Any, path: str, content_type: str, status: int
) -> None:
    assert door.send(body, path, content_type=content_type).status_code == status
    assert len(door.dead_letters) == 1
    assert door.published == []


def test_what_is_refused_at_the_door_stays_refused(door: Door) -> None:
    assert door.send(b"x" * 1_048_577, "/events/ctoai").status_code == 413
    assert door.dead_letters == []


@pytest.mark.parametrize("refusal", [TooLarge("Kafka says no"), RecordRefused("Kafka says no")])
def test_what_kafka_refuses_for_good_is_taken_too(door: Door, refusal: GatewayError) -> None:
    door.publisher.faults["events.service.deployed"] = refusal
    answer = door.send(deployed())
    assert (answer.status_code, told(answer)["deadLetter"]["problem"]["type"]) == (202, refusal.type)


@pytest.mark.parametrize("fault", [Unavailable("Kafka is away"), Overloaded("too much")])
def test_what_cannot_be_kept_now_is_503(door: Door, fault: GatewayError) -> None:
    door.publisher.fault = fault
    answer = door.send(BAD)
    assert (answer.status_code, told(answer)["type"]) == (503, fault.type)
    assert answer.headers["Retry-After"] == str(fault.retry_after)
    assert counted(door) == {"ctoai rejected": 1}


def test_what_is_not_kept_in_time_is_503() -> None:
    door = Door(quarantine_systems="ctoai", ack_budget_ms="50", disk_timeout_ms="50")
    door.publisher.silent = True
    assert told(door.send(BAD))["type"] == "unavailable"


def test_what_kafka_would_never_keep_is_refused(door: Door) -> None:
    door.publisher.faults[TOPIC] = TooLarge("the topic takes less")
    assert told(door.send(BAD))["type"] == "schema-violation"


def test_what_cannot_be_kept_whole_is_refused() -> None:
    door = Door(quarantine_systems="ctoai", max_record_bytes="65536")
    answer = door.send(BAD, headers={"ce-long": "x" * 20_000})
    assert answer.status_code == 400
    (record,) = door.dead_letters
    assert "ce-long" in json.loads(record.value)["request"]["omittedHeaders"]


def test_a_bug_is_503_in_quarantine_too(door: Door) -> None:
    door.publisher.raises = True
    assert told(door.send(deployed()))["type"] == "internal-error"


def test_quarantine_without_dead_letters_stops_the_start() -> None:
    with pytest.raises(SettingsError) as stopped:
        Door(quarantine_systems="ctoai", dead_letters="false")
    assert "GATEWAY_QUARANTINE_SYSTEMS" in str(stopped.value)
    assert "GATEWAY_DEAD_LETTERS" in str(stopped.value)
