"""The HTTP contract: what is sent, what is answered, what is published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway import problems
from gateway.errors import Failure
from gateway.systems import SYSTEMS
from gateway.web.routes import INTAKES
from tests.door import BATCHED, JSON, MAX_BODY, PROBLEM, STRUCTURED, Door, told
from tests.examples import examples
from tests.samples import (
    EVENT,
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

pytestmark = pytest.mark.usefixtures("front")


@dataclass(frozen=True)
class Case:
    """A request, by default one that is taken."""

    name: str
    body: Any = field(default_factory=deployed)
    path: str = "/events"
    method: str = "POST"
    content_type: str | None = JSON
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, door: Door) -> TestResponse:
        return door.send(
            self.body, self.path, method=self.method, content_type=self.content_type, headers=self.headers
        )


EXAMPLES = examples("valid")
UPDATE = without(incident(), "incidentId")
BOTH = deployed() | incident()
BAD_BATCH = [cloudevent(), cloudevent(deployed(event_action="wobbled"), id="ce-2")]


def on_its_path(system: str) -> Case:
    """An example of a system, posted to the path of that system."""
    example = next(e for e in EXAMPLES if e.system == system and len(e.expected["records"]) == 1)
    path = f"/events/{system}"
    return Case(path, example.body, path, content_type=None, headers=example.headers)


TAKEN = [
    Case("recognised by its shape"),
    Case("json by suffix", content_type="application/vnd.cto+json; charset=UTF-8"),
    Case("charset in quotes", content_type='application/json; Charset= "UTF-8" ; x=y'),
    Case("binary", headers=ce_headers()),
    Case("structured", cloudevent(), content_type=STRUCTURED),
    Case("structured in capitals", cloudevent(), content_type="Application/CloudEvents+JSON; charset=utf-8"),
    Case("batched", [cloudevent()], content_type=BATCHED),
    Case("cdevents", detected(), "/events/cdevents"),
    Case("cdevents structured", bound(detected()), "/events/cdevents", content_type=STRUCTURED),
    Case("ctoai", path="/events/ctoai"),
    Case("ibm", provisioned(), "/events/ibm"),
    Case("tracker", tracked(), "/events/tracker"),
    Case("tracker update", tracked("e1"), "/events/tracker", "PUT"),
    Case("tracker by its own path", tracked(), "/api/v1alpha1/event"),
    Case("tracker update by its own path", tracked("e1"), "/api/v1alpha1/event", "PUT"),
    Case("incidents", incident(), "/events/incidents"),
    Case("incidents update", UPDATE, "/events/incidents/48213", "PATCH"),
    *(on_its_path(system) for system in SYSTEMS),
    Case("white space around it", b" \r\n" + EVENT + b"\t "),
    Case("of the largest size", EVENT.ljust(MAX_BODY)),
]
REFUSED = {
    (404, "not-found"): [
        Case("unknown path", path="/nowhere"),
        Case("root", path="/"),
        Case("slash at the end", path="/events/"),
        Case("two slashes", path="/events//ctoai"),
        Case("unknown system", path="/events/jirra"),
        Case("unknown schema", path="/schemas/jirra.schema.json", method="GET"),
    ],
    (405, "method-not-allowed"): [
        Case("get", method="GET"),
        Case("put on ctoai", path="/events/ctoai", method="PUT"),
        Case("post to an incident", path="/events/incidents/7"),
        Case("patch without id", path="/events/incidents", method="PATCH"),
        Case("post to metrics", path="/metrics"),
    ],
    (413, "too-large"): [
        Case("one byte too many", b"1".ljust(MAX_BODY + 1)),
        Case("batch too long", [1] * 1001, content_type=BATCHED),
        Case("record too large", deployed(x="x" * 1_000_000)),
    ],
    (415, "unsupported-media-type"): [
        Case("no content type", content_type=None),
        Case("text", content_type="text/plain"),
        Case("json of old", content_type="text/x-json"),
        Case("a structured event as json", cloudevent()),
        Case("avro", content_type="application/cloudevents+avro"),
        Case("a batch of avro", content_type="application/cloudevents-batch+avro"),
        Case("binary xml", content_type="text/xml", headers=ce_headers()),
        Case("binary without content type", content_type=None, headers=ce_headers()),
    ],
    (415, "unsupported-charset"): [
        Case("charset", content_type=f"{JSON}; charset=latin-1"),
        Case("charset of a structured event", cloudevent(), content_type=f"{STRUCTURED}; charset=latin-1"),
    ],
    (415, "unsupported-encoding"): [
        Case("deflate", headers={"Content-Encoding": "deflate"}),
        Case("coded as no content is", headers={"Content-Encoding": "chunked"}),
        Case("coded", headers={"Transfer-Encoding": "gzip, chunked"}),
    ],
    (400, "malformed-json"): [
        Case("empty", b""),
        Case("cut short", b'{"event_name":'),
    ],
    (400, "invalid-encoding"): [
        Case("not utf-8", b'{"event_name": "\xff"}'),
    ],
    (400, "duplicate-key"): [
        Case("twice", b'{"event_name":"a","event_name":"b"}'),
    ],
    (400, "number-out-of-range"): [
        Case("beyond double", b'{"event_name":1e999}'),
    ],
    (400, "too-deep"): [
        Case("65 levels", b"[" * 65 + b"]" * 65),
    ],
    (400, "too-complex"): [
        Case("10001 members", [0] * 10_001),
    ],
    (400, "invalid-cloudevent"): [
        Case("no id", without(cloudevent(), "id"), content_type=STRUCTURED),
        Case("object as batch", cloudevent(), content_type=BATCHED),
    ],
    (400, "unsupported-specversion"): [
        Case("0.3", headers=ce_headers(specversion="0.3")),
    ],
    (400, "invalid-time"): [
        Case("time", headers=ce_headers(time="yesterday")),
    ],
    (400, "invalid-character"): [
        Case("hidden", deployed(repo="a\u202eb")),
    ],
    (422, "batch-invalid"): [
        Case("one bad of two", BAD_BATCH, content_type=BATCHED),
    ],
    (422, "unrecognised"): [
        Case("of nobody", {"hello": "world"}),
        Case("a number", 5),
    ],
    (422, "ambiguous-dialect"): [
        Case("of two", BOTH),
    ],
    (422, "unknown-event-type"): [
        Case("type", detected(type="dev.cdevents.incident.noticed.0.3.0")),
        Case("version", detected(type="dev.cdevents.incident.detected.7.0.0")),
    ],
    (422, "schema-violation"): [
        Case("violation", without(deployed(), "team_id")),
        Case("another's path", path="/events/ibm"),
        Case("no type", {}, "/events/cdevents"),
        Case("no object", 7, "/events/cdevents"),
    ],
    (422, "envelope-mismatch"): [
        Case("other id", bound(detected()) | {"id": "e-9"}, content_type=STRUCTURED),
    ],
}
# broken connections: test_body.py; no host: test_bad_input.py; what Kafka refuses: test_operations.py; who
# may send: test_guard.py
ELSEWHERE = {"incomplete-body", "malformed-body", "bad-request", "record-refused", "request-timeout"} | {
    "uri-too-long",
    "headers-too-large",
    "expectation-failed",
    "unsupported-transfer-coding",
    "unauthenticated",
    "invalid-signature",
    "stale-signature",
    "forbidden",
    "rate-limited",
}

taken = pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
refused = pytest.mark.parametrize(
    ("case", "status", "type"),
    [pytest.param(case, *ending, id=case.name) for ending, cases in REFUSED.items() for case in cases],
)


@taken
def test_a_request_is_taken(door: Door, case: Case) -> None:
    answer = case.send(door)
    assert (answer.status_code, answer.content_type) == (202, JSON), told(answer)
    assert len(door.published) == 1


@refused
def test_a_request_is_refused_with_a_problem_document(door: Door, case: Case, status: int, type: str) -> None:
    answer = case.send(door)
    assert (answer.status_code, answer.content_type) == (status, PROBLEM)
    problem = told(answer)
    assert problem["type"] == type
    assert sorted(problem) == ["detail", "errors", "requestId", "status", "title", "type"]
    assert problem["status"] == status
    assert problem["requestId"] == answer.headers["X-Request-Id"]
    assert problem["title"] and problem["detail"]
    assert "Retry-After" not in answer.headers
    assert door.published == []


def test_every_refusal_there_is_is_met_in_this_file() -> None:
    refusals = {kind.type for kind in problems.types() if not issubclass(kind, Failure)}
    assert {type for _, type in REFUSED} | ELSEWHERE == refusals


def test_every_way_in_is_met_in_this_file() -> None:
    met = {(case.method, case.path.replace("48213", "<resource>")) for case in TAKEN}
    assert met == {(intake.method, intake.rule) for intake in INTAKES}


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/events", "OPTIONS, POST"),
        ("PATCH", "/events/tracker", "OPTIONS, POST, PUT"),
        ("POST", "/events/incidents/7", "OPTIONS, PATCH"),
        ("POST", "/readyz", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_allowed_is_told_which_are(
    door: Door, method: str, path: str, allow: str
) -> None:
    assert door.send(b"", path, method=method).headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/events", "/events/ibm", "/nowhere"])
def test_every_answer_has_a_request_id_of_its_own(door: Door, path: str) -> None:
    first, second = (door.send(deployed(), path).headers["X-Request-Id"] for _ in range(2))
    assert first and second and first != second


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(tracked(), JSON), (b"{", JSON), ([], BATCHED), ([cloudevent(tracked())], BATCHED)],
    ids=["event", "no json", "empty batch", "batch"],
)
def test_the_path_of_a_system_that_is_switched_off_is_not_found(body: Any, content_type: str) -> None:
    door = Door(systems="ctoai,ibm")
    answer = door.send(body, "/events/tracker", content_type=content_type)
    assert (answer.status_code, told(answer)["type"]) == (404, "not-found")


def test_a_system_that_is_switched_off_recognises_nothing() -> None:
    door = Door(systems="ctoai,ibm")
    assert told(door.send(tracked()))["type"] == "unrecognised"
    assert door.send(deployed()).status_code == 202


def test_a_batch_full_of_faults_is_read_no_further_than_a_thousand(door: Door) -> None:
    answer = door.send([{"id": 1} for _ in range(1_000)], content_type=BATCHED)
    problem = told(answer)
    assert (answer.status_code, problem["type"]) == (422, "batch-invalid")
    assert len(problem["errors"]) == 1_000
    assert problem["detail"].startswith("250 of the first 250 of 1000 events")


def test_an_id_in_the_path_that_is_not_utf_8_is_refused(door: Door) -> None:
    answer = door.client.patch("/events/incidents/%ff", json={})
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-encoding")


@pytest.mark.parametrize("part", ["arrive", "body", "taking"])
def test_a_bug_at_the_door_is_told_as_ours(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def raising(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    door = Door()
    monkeypatch.setattr(door.gateway.door, part, raising)
    answer = door.send(deployed())
    assert (answer.status_code, answer.content_type, told(answer)["type"]) == (503, PROBLEM, "internal-error")
    assert answer.headers["X-Request-Id"] == told(answer)["requestId"]
    assert answer.headers["Retry-After"]
    assert door.publisher.records == []
