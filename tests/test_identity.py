"""Ids that stay the same when an event is delivered again, so that consumers can drop the second copy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.door import JSON, STRUCTURED, Door, headers, told
from tests.samples import (
    Json,
    bound,
    ce_headers,
    cloudevent,
    deployed,
    detected,
    incident,
    provisioned,
    tracked,
    without,
)

DATED = {
    "tracker": tracked(startDate="2026-01-02T03:04:05Z"),
    "tracker-snake-case": tracked(end_date="2026-01-02T03:04:05Z"),
    "incidents": incident(startTime=1_767_323_045),
}
UNDATED = {"ctoai": deployed(), "tracker": tracked(), "incidents": incident()}

each_dated = pytest.mark.parametrize("document", DATED.values(), ids=DATED)
each_undated = pytest.mark.parametrize("document", UNDATED.values(), ids=UNDATED)


def id_of(door: Door, body: Any, path: str = "/events", **request: Any) -> str:
    """The id under which an event is published."""
    door.publisher.forget()
    answer = door.send(body, path, **request)
    assert answer.status_code == 202, told(answer)
    (record,) = door.published
    (receipt,) = told(answer)["events"]
    assert receipt["id"] == headers(record)["ce_id"]
    return str(receipt["id"])


@pytest.mark.parametrize(
    ("document", "own"), [(detected(), "e-1"), (provisioned(), "e-2")], ids=["cdevents", "ibm"]
)
def test_the_senders_own_id_comes_first(door: Door, document: Json, own: str) -> None:
    delivery = {"Idempotency-Key": "delivery"}
    assert id_of(door, document, headers=delivery) == own
    if "context" not in document:  # a CDEvent and its CloudEvent must agree anyhow
        assert id_of(door, cloudevent(document), content_type=STRUCTURED, headers=delivery) == own


@each_undated
def test_then_comes_the_id_of_the_cloudevent_which_is_unique_within_its_source(
    door: Door, document: Json
) -> None:
    delivery = {"Idempotency-Key": "delivery"}
    assert id_of(door, cloudevent(document), content_type=STRUCTURED, headers=delivery) == "ce-1"
    assert headers(door.published[0])["ce_source"] == "/sender"
    assert id_of(door, document, headers=ce_headers() | delivery) == "ce-1"
    assert headers(door.published[0])["ce_source"] == "/sender"


def test_delivery_ids_of_any_length_tell_deliveries_apart(door: Door) -> None:
    ids = {id_of(door, deployed(), headers={"Idempotency-Key": "x" * 300 + end}) for end in "ab"}
    assert len(ids) == 2


@pytest.mark.parametrize("header", ["Idempotency-Key", "Webhook-Id", "X-Webhook-Id", "X-Delivery-Id"])
@pytest.mark.parametrize("document", [*UNDATED.values(), *DATED.values()], ids=[*UNDATED, *DATED])
def test_then_comes_the_id_of_the_delivery(door: Door, document: Json, header: str) -> None:
    assert id_of(door, document, headers={header: " d-1 "}) == "d-1"


def test_of_several_delivery_ids_the_first_known_one_counts(door: Door) -> None:
    both = {"X-Delivery-Id": "second", "Idempotency-Key": "first"}
    assert id_of(door, deployed(), headers=both) == "first"


def test_an_empty_delivery_id_is_none(door: Door) -> None:
    blank = {"Idempotency-Key": " ", "Webhook-Id": "w-1"}
    assert id_of(door, deployed(), headers=blank) == "w-1"


@each_dated
def test_a_document_with_a_time_of_its_own_has_one_id_however_often_it_comes(
    door: Door, document: Json
) -> None:
    first = id_of(door, document)
    assert id_of(door, document) == first
    assert id_of(door, dict(reversed(document.items()))) == first
    assert id_of(Door(), document) == first


@each_dated
def test_a_document_that_differs_has_another_id(door: Door, document: Json) -> None:
    assert id_of(door, document | {"title": "another"}) != id_of(door, document)


@each_undated
def test_a_document_without_a_time_is_a_new_event_every_time(door: Door, document: Json) -> None:
    assert id_of(door, document) != id_of(door, document)


def test_the_same_update_of_two_incidents_is_two_events(door: Door) -> None:
    update = without(incident(startTime=1), "incidentId")
    one = id_of(door, update, "/events/incidents/1", method="PATCH")
    two = id_of(door, update, "/events/incidents/2", method="PATCH")
    assert one != two
    assert id_of(door, update, "/events/incidents/1", method="PATCH") == one


PINNED = {
    "cdevents": detected(),
    "ibm": provisioned(),
    "tracker": DATED["tracker"],
    "incidents": DATED["incidents"],
}


@pytest.mark.parametrize(("system", "document"), PINNED.items(), ids=list(PINNED))
def test_a_pinned_path_changes_no_id(door: Door, system: str, document: Json) -> None:
    assert id_of(door, document, f"/events/{system}") == id_of(door, document)


def test_trackers_own_path_changes_no_id(door: Door) -> None:
    assert id_of(door, DATED["tracker"], "/api/v1alpha1/event") == id_of(door, DATED["tracker"])


def test_a_content_mode_changes_no_id(door: Door) -> None:
    event = bound(detected())
    binary = ce_headers(**without(event, "data"))
    ids = {
        id_of(door, detected()),
        id_of(door, event, content_type=STRUCTURED),
        id_of(door, detected(), content_type=JSON, headers=binary),
    }
    assert ids == {"e-1"}


@pytest.mark.parametrize("document", [detected(), provisioned(), *DATED.values()], ids=["cd", "ibm", *DATED])
def test_source_key_and_time_are_the_same_on_redelivery_too(door: Door, document: Json) -> None:
    def identity() -> tuple[Any, ...]:
        id_of(door, document)
        (record,) = door.published
        sent = headers(record)
        return record.topic, record.key, sent["ce_source"], sent["ce_id"], sent["ce_time"]

    assert identity() == identity()
