"""What lies inside a CloudEvent: JSON as it is, JSON as base64, and CDEvents that must agree with it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.door import BATCHED, STRUCTURED, Door, headers, pointers, told
from tests.samples import Json, bound, cloudevent, deployed, detected, without

pytestmark = pytest.mark.usefixtures("front")


def encoded(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def based(data_base64: Any, **attributes: Any) -> Json:
    return without(cloudevent(**attributes), "data") | {"data_base64": data_base64}


def structured(door: Door, event: Any, path: str = "/events") -> TestResponse:
    return door.send(event, path, content_type=STRUCTURED)


def test_an_event_without_data_is_refused(door: Door) -> None:
    answer = structured(door, without(cloudevent(), "data"))
    assert (answer.status_code, pointers(answer)) == (400, ["/data"])


def test_json_in_a_string_is_not_parsed_again(door: Door) -> None:
    answer = structured(door, cloudevent(json.dumps(deployed())))
    assert (answer.status_code, told(answer)["type"]) == (422, "unrecognised")


def test_base64_data_is_read_as_json(door: Door) -> None:
    assert structured(door, based(encoded(deployed()))).status_code == 202


@pytest.mark.parametrize("data", ["#", "abc", "é", "YQ==\n", "", 5, None, {"a": 1}], ids=ascii)
def test_broken_base64_is_refused(door: Door, data: Any) -> None:
    answer = structured(door, based(data))
    assert answer.status_code == 400, told(answer)


@pytest.mark.parametrize(
    "document", [without(deployed(), "team_id"), {}, 7, detected(type="dev.cdevents.x.y.1")]
)
def test_a_bad_document_in_base64_in_a_batch_is_told_by_the_index_of_its_member(
    door: Door, document: Any
) -> None:
    answer = door.send([cloudevent(), based(encoded(document))], content_type=BATCHED)
    assert (answer.status_code, told(answer)["type"]) == (422, "batch-invalid")
    assert pointers(answer) and all(pointer.startswith("/1/data_base64") for pointer in pointers(answer))


def test_base64_that_holds_no_json_in_a_batch_is_told_by_the_index_of_its_member(door: Door) -> None:
    answer = door.send([cloudevent(), based("e30KfQ==")], content_type=BATCHED)
    assert (answer.status_code, told(answer)["type"]) == (422, "batch-invalid")
    assert pointers(answer) == ["/1/data_base64"]


@pytest.mark.parametrize("attribute", ["type", "source", "subject", "id", "time"])
def test_a_cloudevent_must_say_what_the_cdevent_says(door: Door, attribute: str) -> None:
    other = {"time": "2027-01-01T00:00:00Z", "type": "dev.cdevents.incident.resolved.0.3.0"}
    answer = structured(door, bound(detected()) | {attribute: other.get(attribute, "other")})
    assert (answer.status_code, told(answer)["type"]) == (422, "envelope-mismatch")
    (problem,) = told(answer)["errors"]
    assert problem["message"].startswith(f"the CloudEvents attribute '{attribute}' is '")


def test_a_subject_that_is_missing_is_told(door: Door) -> None:
    answer = structured(door, without(bound(detected()), "subject"))
    (problem,) = told(answer)["errors"]
    assert problem["pointer"] == "/data/subject/id"
    assert problem["message"].startswith("the CloudEvents attribute 'subject' is missing")


@pytest.mark.parametrize("data", [[1], "x", 5], ids=["array", "text", "number"])
def test_a_cdevent_that_is_no_object_is_told_so(door: Door, data: Any) -> None:
    answer = structured(door, bound(detected()) | {"data": data})
    assert (answer.status_code, pointers(answer)) == (422, ["/data"])


def test_times_are_compared_as_instants(door: Door) -> None:
    event = bound(detected()) | {"time": "2026-02-03T05:05:06.000+01:00"}
    assert structured(door, event).status_code == 202


def test_a_lenient_gateway_lets_id_and_time_differ_and_nothing_else() -> None:
    door = Door(cdevents_lenient_identity="true")
    fresh = {"id": "fresh", "time": "2027-01-01T00:00:00Z"}
    assert structured(door, bound(detected()) | fresh).status_code == 202
    assert headers(door.published[0])["ce_id"] == "e-1"
    assert structured(door, bound(detected()) | fresh | {"subject": "other"}).status_code == 422


def test_what_disagrees_is_told_together_with_what_is_invalid(door: Door) -> None:
    event = bound(detected()) | {"id": "other"}
    event["data"]["subject"]["content"] = {}
    answer = structured(door, event)
    assert (answer.status_code, told(answer)["type"]) == (422, "schema-violation")
    assert pointers(answer) == ["/data/context/id", "/data/subject/content/environment"]


def test_a_timestamp_that_is_none_is_told_once(door: Door) -> None:
    event = bound(detected(timestamp="yesterday")) | {"time": "2026-02-03T04:05:06Z"}
    answer = structured(door, event)
    assert (answer.status_code, pointers(answer)) == (422, ["/data/context/timestamp"])
