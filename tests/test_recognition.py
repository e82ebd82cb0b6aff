"""Which system a document comes from, told by its shape when the path does not say.

Recognition is weaker than validation: an almost right document is told what is wrong with it.
"""

from __future__ import annotations

import json

import pytest

from gateway.model import Document
from tests.door import Door, envelope, told
from tests.examples import Example, examples, pipeline
from tests.samples import Json, deployed, detected, incident, provisioned, tracked, without


def recognised(door: Door, document: Json) -> str:
    """The system that a refusal or a record names."""
    answer = door.send(document)
    if answer.status_code == 202:
        return str(envelope(door.published[0])["system"])
    detail = told(answer)["detail"]
    return str(detail).removeprefix("does not match ").partition("/")[0]


@pytest.mark.parametrize(
    ("document", "system"),
    [
        (detected(), "cdevents"),
        ({"context": {"type": "dev.cdevents.incident.detected.0.3.0"}, "subject": None}, "cdevents"),
        ({"context": {"type": "dev.cdeventsx.a-b.c.1.0.0"}, "subject": {}}, "cdevents"),
        (deployed(), "ctoai"),
        ({"event_name": "build"}, "ctoai"),
        ({"event_action": "failed"}, "ctoai"),
        (provisioned(), "ibm"),
        ({"event_type": "resource-controller.x.y"}, "ibm"),
        ({"event_type": "Resource-Controller.X.y"}, "ibm"),
        ({"event_type": "x", "event_id": "1"}, "ibm"),
        ({"event_type": "x", "event_properties": {}}, "ibm"),
        (tracked(), "tracker"),
        ({"attributes": {}, "title": "x"}, "tracker"),
        ({"attributes": {}, "id": "x"}, "tracker"),
        ({"attributes": {}, "links": {}}, "tracker"),
        (incident(), "incidents"),
        ({"incidentId": "x"}, "incidents"),
        ({"sourceSite": "x", "resolution": "y"}, "incidents"),
        (without(incident(), "incidentId"), "incidents"),
    ],
    ids=str,
)
def test_a_document_is_recognised_by_its_marks(door: Door, document: Json, system: str) -> None:
    assert recognised(door, document) == system


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"context": {"type": "dev.cdevents.incident.detected.0.3.0"}},
        {"context": {"type": "com.example.x"}, "subject": {}},
        {"context": "dev.cdevents.x", "subject": {}},
        {"event_type": "x"},
        {"event_id": "x", "event_properties": {}},
        {"attributes": {}},
        {"title": "x", "id": "y", "links": {}},
        {"resolution": "x"},
    ],
    ids=str,
)
def test_a_document_without_enough_marks_is_not_recognised(door: Door, document: Json) -> None:
    answer = door.send(document)
    assert (answer.status_code, told(answer)["type"]) == (422, "unrecognised")


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (deployed() | incident(), ("ctoai", "incidents")),
        (tracked() | provisioned(), ("ibm", "tracker")),
        (detected() | deployed(), ("cdevents", "ctoai")),
    ],
    ids=["ctoai and incidents", "ibm and tracker", "cdevents and ctoai"],
)
def test_a_document_with_the_marks_of_two_is_told_which(
    door: Door, document: Json, names: tuple[str, str]
) -> None:
    answer = door.send(document)
    assert (answer.status_code, told(answer)["type"]) == (422, "ambiguous-dialect")
    assert all(name in told(answer)["detail"] for name in names)


def test_a_pinned_path_decides_what_is_ambiguous(door: Door) -> None:
    assert door.send(deployed() | incident(), "/events/ctoai").status_code == 202


def test_a_refusal_names_the_marks_of_the_systems_that_are_switched_on() -> None:
    (problem,) = told(Door(systems="ctoai,ibm").send({}))["errors"]
    assert "ctoai: " in problem["message"]
    assert "tracker: " not in problem["message"]


SOURCES = tuple(pipeline().sources)


@pytest.mark.parametrize("example", examples("valid"), ids=lambda example: example.name)
def test_no_system_claims_a_document_without_the_members_it_names_as_its_marks(example: Example) -> None:
    """Who has none of them is not asked."""
    found = json.loads(example.body) if example.body_path.suffix == ".json" else {}
    members = found if isinstance(found, dict) else {}
    for source in SOURCES:
        if source.body_marks is not None:
            data = without(members, *source.body_marks)
            assert not source.recognise(Document(data=data, payload=data, message=example.message()))
