"""What is refused is kept, with the reason and without secrets, and never at the cost of an answer."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.errors import RecordRefused, Refusal, TooLarge, Unavailable
from gateway.model import Document, Envelope, Outcome, Placement
from gateway.sources import Sources
from gateway.sources.ctoai import CtoAi
from tests.consumer_schemas import assert_is_dead_letter
from tests.door import BATCHED, STRUCTURED, Door, headers, told
from tests.samples import Json, bound, ce_headers, cloudevent, deployed, detected, incident

pytestmark = pytest.mark.usefixtures("front")

BAD = deployed(event_action="wobbled")
UNKNOWN_TYPE = detected(type="dev.cdevents.incident.detected.9.9.0")
TOPIC = "events.deadletter"
_SAMPLE = re.compile(r'gateway_dead_letters_total\{class="(\w+)",outcome="(\w+)"\} (\S+)')


@pytest.fixture
def fresh() -> Door:
    """A gateway that has counted nothing yet."""
    return Door()


def letters(door: Door) -> list[Json]:
    """The dead letters as a consumer reads them."""
    for record in door.dead_letters:
        assert_is_dead_letter(record.value)
    return [json.loads(record.value) for record in door.dead_letters]


def letter(door: Door) -> Json:
    """The only one."""
    (found,) = letters(door)
    return found


def counted(door: Door) -> dict[str, int]:
    """``{"sender kept": 1}``, as Prometheus reads it."""
    text = door.client.get("/metrics").text
    return {f"{fault} {outcome}": int(float(n)) for fault, outcome, n in _SAMPLE.findall(text)}


class Buggy(CtoAi):
    def normalise(self, document: Document, schema_id: str) -> Envelope:
        raise ZeroDivisionError("a bug")


# -- what a dead letter says --------------------------------------------------------------------------------


def test_a_dead_letter_holds_the_request_and_the_answer(door: Door) -> None:
    answer = door.send(BAD, headers={"User-Agent": "curl/8", "Webhook-Id": "d-1"})
    found = letter(door)
    received = found.pop("receivedTime")
    assert found == {
        "version": "1",
        "class": "sender",
        "requestId": answer.headers["X-Request-Id"],
        "system": "ctoai",
        "problem": told(answer),
        "request": {
            "system": None,
            "resource": None,
            "update": False,
            "headers": {"content-type": "application/json", "user-agent": "curl/8", "webhook-id": "d-1"},
            "omittedHeaders": ["host", "content-length"],
            "body": json.dumps(BAD),
            "bodyEncoding": "utf-8",
        },
    }
    assert headers(door.dead_letters[0])["ce_time"] == received


def test_a_dead_letter_is_a_cloudevent_of_the_gateways_own(door: Door) -> None:
    id = door.send(BAD).headers["X-Request-Id"]
    (record,) = door.dead_letters
    found = headers(record)
    del found["ce_time"]
    assert found == {
        "ce_specversion": "1.0",
        "ce_id": id,
        "ce_source": "/gateway",
        "ce_type": "dev.cloudevents-gateway.deadletter.v1",
        "ce_subject": id,
        "ce_dataschema": "https://cloudevents-gateway.dev/schemas/deadletter.schema.json",
        "ce_partitionkey": f"deadletter/{id}",
        "content-type": "application/json",
    }
    assert (record.topic, record.key.decode()) == (TOPIC, f"deadletter/{id}")
    assert (record.source, record.id) == ("/gateway", id)


def test_in_structured_mode_a_dead_letter_is_one_too() -> None:
    door = Door(content_mode="structured", topic_prefix="acme")
    door.send(BAD)
    event = letter(door)
    assert door.dead_letters[0].topic == "acme.deadletter"
    assert event["source"] == "/gateway"
    assert event["data"]["class"] == "sender"


def test_what_the_path_says_is_kept(door: Door) -> None:
    door.send({}, "/events/incidents/INC-7", method="PATCH")
    found = letter(door)
    assert found["system"] == "incidents"
    assert {name: found["request"][name] for name in ("system", "resource", "update")} == {
        "system": "incidents",
        "resource": "INC-7",
        "update": True,
    }


SECRET = "s3cret-4711"
SECRETIVE = """
    Authorization Proxy-Authorization Cookie X-Api-Key X-Auth-Token X-Hub-Signature X-Hub-Signature-256
    X-Gitlab-Token Webhook-Signature X-Forwarded-For Ce X-Ce-Id
""".split()  # noqa: SIM905


def test_no_secret_in_a_header_is_kept(door: Door) -> None:
    door.send(BAD, headers=dict.fromkeys(SECRETIVE, SECRET))
    (record,) = door.dead_letters
    assert SECRET.encode() not in record.value
    assert SECRET not in str(record.headers)
    assert {name.lower() for name in SECRETIVE} <= set(letter(door)["request"]["omittedHeaders"])


def test_what_the_gateway_reads_in_headers_is_kept(door: Door) -> None:
    read = {
        "idempotency-key": "a",
        "x-delivery-id": "b",
        "traceparent": "c",
        "tracestate": "d",
        "x-scope-orgid": "tenant-1",
        **ce_headers(time="soon"),
    }
    door.send(BAD, headers=read)
    assert read.items() <= letter(door)["request"]["headers"].items()


# -- bodies -------------------------------------------------------------------------------------------------


def body_of(request: Json) -> bytes:
    if request["bodyEncoding"] == "utf-8":
        return str(request["body"]).encode()
    return gzip.decompress(base64.b64decode(request["body"]))


BODIES = {
    "empty": (b"", "utf-8"),
    "nul": (b"{\x00", "utf-8"),
    "byte order mark": (b"\xef\xbb\xbf{}", "utf-8"),
    "not utf-8": (b'{"\xff":1}', "gzip+base64"),
    "half a surrogate": (b"\xed\xa0\x80", "gzip+base64"),
    "too large as text": (b"x" * 1_000_000, "gzip+base64"),
}


@pytest.mark.parametrize(("body", "encoding"), BODIES.values(), ids=BODIES)
def test_a_body_is_kept_byte_for_byte(door: Door, body: bytes, encoding: str) -> None:
    door.send(body)
    request = letter(door)["request"]
    assert request["bodyEncoding"] == encoding
    assert body_of(request) == body


def test_of_a_body_that_is_too_large_the_digest_is_kept(door: Door) -> None:
    body = random.Random(1).randbytes(900_000)
    door.send(body)
    request = letter(door)["request"]
    assert request["body"] is None
    assert request["bodyBytes"] == 900_000
    assert request["bodySha256"] == hashlib.sha256(body).hexdigest()
    assert "bodyEncoding" not in request


def test_a_dead_letter_is_never_larger_than_a_record_may_be() -> None:
    door = Door(max_record_bytes="65536")
    noise = random.Random(1)
    body = json.dumps([{"specversion": noise.randbytes(1_000).hex()} for _ in range(400)]).encode()
    long = {f"ce-{n:03}": "é\\" * 1_000 for n in range(200)}
    secret = {f"x-{'y' * 500}-{n}": "z" for n in range(200)}
    path = f"/events/incidents/{'%01' * 1_000}"
    door.send(body, path, method="PATCH", content_type=BATCHED, headers=long | secret)
    (record,) = door.dead_letters
    assert record.size <= 65_536
    found = letter(door)
    assert found["request"]["body"] is None
    assert found["problem"]["errors"] and found["omittedErrors"]


def test_errors_that_do_not_fit_are_counted(door: Door) -> None:
    answer = door.send([{"id": 1}] * 1_000, content_type=BATCHED)
    found, all_errors = letter(door), told(answer)["errors"]
    kept = found["problem"]["errors"]
    assert kept == all_errors[: len(kept)]
    assert len(kept) + found["omittedErrors"] == len(all_errors)


# -- whose fault --------------------------------------------------------------------------------------------

FAULTS = {
    "no json": (b"{", "application/json", "sender"),
    "schema": (BAD, "application/json", "sender"),
    "media type": (b"", "text/plain", "sender"),
    "cloudevent": ({}, STRUCTURED, "sender"),
    "nobody's": ({}, "application/json", "mapping"),
    "two claim it": (deployed() | incident(), "application/json", "mapping"),
    "unknown type": (UNKNOWN_TYPE, "application/json", "mapping"),
    "record too large": (deployed(note="x" * 999_900), "application/json", "mapping"),
    "batch of sender and mapping": ([cloudevent(BAD), cloudevent({})], BATCHED, "sender"),
    "batch of mapping alone": ([cloudevent({}), cloudevent(), bound(UNKNOWN_TYPE)], BATCHED, "mapping"),
}


@pytest.mark.parametrize(("body", "content_type", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_dead_letter_says_whose_fault_it_is(fresh: Door, body: Any, content_type: str, fault: str) -> None:
    assert 400 <= fresh.send(body, content_type=content_type).status_code < 500
    assert letter(fresh)["class"] == fault
    assert counted(fresh) == {f"{fault} kept": 1}
    assert fresh.published == []


def test_a_batch_is_one_dead_letter(door: Door) -> None:
    batch = [cloudevent(), cloudevent(BAD), bound(detected())]
    door.send(batch, content_type=BATCHED)
    found = letter(door)
    assert json.loads(found["request"]["body"]) == batch
    assert found["system"] == "unknown"  # two have sent


def test_a_bug_in_the_mapping_is_kept_as_one(fresh: Door) -> None:
    fresh.gateway.pipeline.sources = Sources([Buggy()])
    answer = fresh.send(deployed())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    found = letter(fresh)
    assert (found["class"], found["problem"]["type"]) == ("mapping", "internal-error")
    assert found["problem"]["requestId"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("refusal", "status"), [(TooLarge("Kafka says no"), 413), (RecordRefused("Kafka says no"), 422)]
)
def test_what_kafka_refuses_for_good_is_kept_as_the_brokers_fault(
    fresh: Door, refusal: Refusal, status: int
) -> None:
    fresh.publisher.faults["events.service.deployed"] = refusal
    answer = fresh.send(deployed())
    assert (answer.status_code, told(answer)["type"]) == (status, refusal.type)
    found = letter(fresh)
    assert (found["class"], found["system"], found["problem"]) == ("broker", "ctoai", told(answer))
    assert json.loads(found["request"]["body"]) == deployed()
    assert counted(fresh) == {"broker kept": 1}


# -- what is no dead letter ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/nowhere", b"{", {}, 404),
        ("DELETE", "/events", b"{", {}, 405),
        ("POST", "/events", b"x" * 1_048_577, {}, 413),
        ("POST", "/events", b"{", {"Content-Encoding": "br"}, 415),
        ("PATCH", "/events/incidents/%ff", b"{", {}, 400),
    ],
)
def test_what_is_refused_at_the_door_is_not_kept(
    fresh: Door, method: str, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert fresh.send(body, path, method=method, headers=headers).status_code == status
    assert letters(fresh) == []
    assert counted(fresh) == {}


def test_what_is_taken_is_not_kept(door: Door) -> None:
    assert door.send(deployed()).status_code == 202
    assert letters(door) == []


def test_what_could_not_be_stored_is_not_kept_because_it_comes_again(fresh: Door) -> None:
    fresh.publisher.faults["events.service.deployed"] = Unavailable("Kafka is away")
    assert fresh.send(deployed()).status_code == 503
    assert letters(fresh) == []


def test_dead_letters_can_be_switched_off() -> None:
    door = Door(dead_letters="false")
    assert door.send(BAD).status_code == 422
    assert door.publisher.records == []
    assert TOPIC not in door.gateway.router.topics()
    assert counted(door) == {}


# -- never at the cost of an answer -------------------------------------------------------------------------


def test_a_dead_letter_that_cannot_be_stored_changes_no_answer(
    fresh: Door, caplog: pytest.LogCaptureFixture
) -> None:
    usual = told(fresh.send(BAD))
    fresh.publisher.forget()
    fresh.publisher.fault = Unavailable("Kafka is away")
    with caplog.at_level("INFO", "gateway.keeper"):
        for _ in range(3):
            assert_same(fresh.send(BAD), usual)
        fresh.publisher.fault = None
        fresh.send(BAD)
    assert counted(fresh) == {"sender kept": 2, "sender lost": 3}
    told_by_keeper = [record for record in caplog.records if record.name == "gateway.keeper"]
    assert [record.getMessage() for record in told_by_keeper] == [
        "dead letters are lost",
        "dead letters are kept again",
    ]
    assert "wobbled" not in caplog.text


def test_nobody_waits_for_a_dead_letter(fresh: Door) -> None:
    fresh.publisher.silent = True
    assert fresh.send(BAD).status_code == 422
    assert counted(fresh) == {}
    (late,) = fresh.publisher.unanswered
    late.succeed((Placement(Outcome.PUBLISHED, 0, 0),))
    assert counted(fresh) == {"sender kept": 1}


def test_a_publisher_that_raises_changes_no_answer(fresh: Door, caplog: pytest.LogCaptureFixture) -> None:
    usual = told(fresh.send(BAD))
    fresh.publisher.raises = True
    assert_same(fresh.send(BAD), usual)
    assert counted(fresh) == {"sender kept": 1, "sender lost": 1}
    assert "wobbled" not in caplog.text


def test_dead_letters_that_wait_to_be_stored_are_bounded_in_memory() -> None:
    door = Door(max_in_flight_bytes="1048576")
    door.publisher.silent = True
    for _ in range(4):
        assert door.send(deployed(event_action="wobbled", note="x" * 90_000)).status_code == 422
    assert len(door.publisher.unanswered) == 2
    assert counted(door) == {"sender lost": 2}
    for waiting in door.publisher.unanswered:
        waiting.fail(Unavailable("late"))
    door.publisher.silent = False
    door.send(BAD)
    assert counted(door) == {"sender lost": 4, "sender kept": 1}


def assert_same(answer: TestResponse, usual: Json) -> None:
    assert told(answer) | {"requestId": ""} == usual | {"requestId": ""}
