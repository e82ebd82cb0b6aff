"""Documents at the edge of what the sources understand: either refused, or published as a whole envelope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.consumer_schemas import assert_is_envelope
from tests.door import Door, envelope, headers, pointers, told
from tests.samples import Json, deployed, incident, provisioned, tracked, without

UPDATE = without(incident(), "incidentId")


@pytest.mark.parametrize(
    "document",
    [
        deployed(event_name=" "),
        deployed(event_name="\t\n"),
        deployed(event_name="custom", event_action=" "),
        deployed(event_name="!?", event_action="..."),
        deployed(team_id=" ", repo=" "),
        provisioned(event_type="resource-controller. .x"),
        provisioned(event_type="resource-controller.x. y"),
        provisioned(event_properties={"crn": "", "guid": ""}),
        tracked(service=" ", source=" "),
        incident(incidentId=" "),
    ],
    ids=str,
)
def test_blank_words_never_make_an_envelope_with_holes(door: Door, document: Json) -> None:
    answer = door.send(document)
    assert answer.status_code in (202, 422)
    assert len(door.published) == (answer.status_code == 202)
    for record in door.published:
        assert_is_envelope(record.value)
        assert all(record.key.decode().split("/", 1))


@pytest.mark.parametrize(
    "time", ["2026-01-02", "now", "", True, {}, [], 1.5, -1, 253_402_300_800, 1_767_323_045_000], ids=str
)
@pytest.mark.parametrize("member", ["startTime", "endTime"])
@pytest.mark.parametrize(
    ("document", "path", "method"),
    [(incident(), "/events/incidents", "POST"), (UPDATE, "/events/incidents/7", "PATCH")],
    ids=["create", "update"],
)
def test_an_incident_with_a_time_that_is_none_is_refused(
    door: Door, document: Json, path: str, method: str, member: str, time: Any
) -> None:
    answer = door.send(document | {"status": "RESOLVED", member: time}, path, method=method)
    assert (answer.status_code, pointers(answer)) == (422, [f"/{member}"])
    assert door.published == []


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-0.0, "1970-01-01T00:00:00Z"),
        (1.0, "1970-01-01T00:00:01Z"),
        (100_000_000_000, "5138-11-16T09:46:40Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        ("1767323045", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
    ],
)
def test_an_incident_that_is_open_happened_at_its_start(door: Door, time: Any, utc: str) -> None:
    door.send(incident(startTime=time, endTime="2027-01-01T00:00:00Z"))
    assert envelope(door.published[0])["time"] == utc


def test_an_incident_that_is_resolved_happened_at_its_end(door: Door) -> None:
    door.send(incident(status="RESOLVED", startTime=1, endTime=2))
    assert envelope(door.published[0])["time"] == "1970-01-01T00:00:02Z"


def test_an_update_is_about_the_incident_of_its_path(door: Door) -> None:
    door.send(UPDATE | {"incidentId": "other"}, "/events/incidents/48213", method="PATCH")
    assert door.published[0].key == b"incident/48213"


def test_the_tenant_of_an_incident_is_part_of_its_source(door: Door) -> None:
    door.send(incident(), headers={"X-Scope-OrgID": "team a/b"})
    assert headers(door.published[0])["ce_source"] == "/incidents/team%20a%2Fb"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (deployed(repo="a\x00b"), "control"),
        (deployed(repo="a\u200bb"), "invisible"),
        (tracked(service="\ufeffshop", status="done"), "invisible"),
        (incident(incidentId="a\nb"), "control"),
        (provisioned(event_properties={"crn": "x" * 1_025}), "longer than 1024"),
    ],
    ids=["NUL", "zero width", "byte order mark", "line end", "long"],
)
def test_a_name_that_cannot_be_a_key_is_refused(door: Door, document: Json, problem: str) -> None:
    answer = door.send(document)
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-character")
    assert problem in told(answer)["errors"][0]["message"]
    assert door.published == []


def test_without_a_pinned_path_a_refusal_says_what_each_system_looks_like(door: Door) -> None:
    (problem,) = told(door.send({"hello": "world"}))["errors"]
    assert all(f"{system}: " in problem["message"] for system in ("cdevents", "ctoai", "ibm", "tracker"))


def test_an_unknown_version_is_told_which_are_known(door: Door) -> None:
    document = {"context": {"type": "dev.cdevents.incident.detected.0.9.0"}, "subject": {}}
    (problem,) = told(door.send(document))["errors"]
    assert problem["pointer"] == "/context/type"
    assert "known versions: 0.1.0, 0.2.0, 0.3.0" in problem["message"]


def test_a_misspelt_type_is_told_which_was_meant(door: Door) -> None:
    document = {"context": {"type": "dev.cdevents.incident.detcted.0.3.0"}, "subject": {}}
    assert "did you mean dev.cdevents.incident.detected.0.3.0?" in told(door.send(document))["detail"]


@pytest.mark.parametrize(
    ("document", "pointer", "keyword"),
    [
        ({}, "/context", "required"),
        ({"context": {}, "subject": {}}, "/context/type", "required"),
        ({"context": {"type": 5}, "subject": {}}, "/context/type", "type"),
        ({"context": "x", "subject": {}}, "/context", "type"),
        ([], "", "type"),
    ],
    ids=str,
)
def test_a_cdevent_without_a_type_is_told_that_it_is_missing(
    door: Door, document: Json, pointer: str, keyword: str
) -> None:
    answer = door.send(document, "/events/cdevents")
    assert (answer.status_code, told(answer)["type"]) == (422, "schema-violation")
    assert [(e["pointer"], e["keyword"]) for e in told(answer)["errors"]] == [(pointer, keyword)]
