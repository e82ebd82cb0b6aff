"""Where records go and what they look like on Kafka, by the CloudEvents Kafka binding."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway import timestamps
from gateway.errors import SettingsError
from gateway.model import Details, Envelope, Origin, Record, Subject
from gateway.routing import binary
from gateway.sources.cloudevents import CORE
from tests.consumer_schemas import assert_is_envelope
from tests.door import BATCHED, STRUCTURED, Door, envelope, headers
from tests.samples import bound, cloudevent, deployed, detected, incident, provisioned, tracked

ROUTER = Door().gateway.router
STRUCTURED_ROUTER = Door(content_mode="structured").gateway.router
REQUIRED = {"id", "source", "type", "subject", "time", "dataschema", "specversion", "datacontenttype"} | {
    "partitionkey"
}


@pytest.fixture(scope="module")
def structured_door() -> Door:
    return Door(content_mode="structured")


def publish(door: Door, event: Any, content_type: str = STRUCTURED) -> Record:
    """Send one event and give its record."""
    door.publisher.forget()
    assert door.send(event, content_type=content_type).status_code == 202
    (record,) = door.published
    return record


def read_by_the_sdk(record: Record) -> BaseCloudEvent:
    message = kafka.KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    return kafka.from_kafka(message, JSONFormat())


# -- topics -------------------------------------------------------------------------------------------------


def test_topics_are_named_after_subject_and_predicate_and_sorted(door: Door) -> None:
    topics = door.gateway.router.topics()
    assert {"events.incident.detected", "events.service.deployed", "events.custom"} <= set(topics)
    assert list(topics) == sorted(set(topics))
    assert all(re.fullmatch(r"events(\.[a-z0-9_]+){1,2}", topic) for topic in topics)


def test_only_systems_that_are_switched_on_have_topics() -> None:
    assert Door(systems="incidents").gateway.router.topics() == (
        "events.custom",
        "events.deadletter",
        "events.incident.detected",
        "events.incident.resolved",
    )


@pytest.mark.parametrize(
    "document",
    [
        deployed(event_name="incident.detected"),
        deployed(event_name="../../etc", event_action="passwd"),
        deployed(event_name="service", event_action="deployed"),
        provisioned(event_type="resource-controller.service.deployed"),
        detected(type="dev.cdeventsx.tool-incident.detected.1.0.0"),
    ],
    ids=["dots", "slashes", "words of CDEvents", "words of CDEvents by IBM", "custom cdevent"],
)
def test_words_that_a_sender_chooses_never_choose_a_topic(door: Door, document: Any) -> None:
    assert publish(door, document, "application/json").topic == "events.custom"


def test_the_prefix_is_a_setting() -> None:
    door = Door(topic_prefix="acme.prod-1")
    assert publish(door, deployed(), "application/json").topic == "acme.prod-1.service.deployed"
    assert all(topic.startswith("acme.prod-1.") for topic in door.gateway.router.topics())


def test_the_template_is_a_setting() -> None:
    door = Door(topic_template="{subject}-{prefix}")
    assert publish(door, deployed(), "application/json").topic == "service-events"
    assert publish(door, deployed(event_name="x"), "application/json").topic == "events.custom"


@pytest.mark.parametrize("prefix", ["a/b", "a b", "ä", "events\n", "x" * 250, "*", "a:b"], ids=ascii)
def test_a_prefix_that_kafka_would_refuse_stops_the_start(prefix: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_TOPIC_PREFIX"):
        Door(topic_prefix=prefix)


@pytest.mark.parametrize("template", ["{prefix}/{subject}", "{prefix} {subject}", "{prefix}{subject}ß"])
def test_a_template_that_kafka_would_refuse_stops_the_start(template: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_TOPIC_TEMPLATE"):
        Door(topic_template=template)


# -- keys ---------------------------------------------------------------------------------------------------


def test_the_key_is_the_subject(door: Door) -> None:
    assert publish(door, incident(), "application/json").key == b"incident/INC-7"


def test_a_key_is_utf_8(door: Door) -> None:
    assert publish(door, deployed(repo="größe/€"), "application/json").key == "service/größe/€".encode()


def test_what_happens_to_one_subject_has_one_key(door: Door) -> None:
    keys = {
        publish(door, incident(status="OPEN"), "application/json").key,
        publish(door, incident(status="RESOLVED"), "application/json").key,
        publish(door, tracked(links={"ticket": "INC-7"}, type=4), "application/json").key,
    }
    assert keys == {b"incident/INC-7"}


# -- binary mode --------------------------------------------------------------------------------------------


def test_attributes_are_headers_and_the_envelope_is_the_value(door: Door) -> None:
    record = publish(door, bound(detected(timestamp="2026-02-03T05:05:06+01:00")))
    assert headers(record) == {
        "ce_specversion": "1.0",
        "ce_id": "e-1",
        "ce_source": "/monitoring",
        "ce_type": "dev.cloudevents-gateway.incident.detected.v1",
        "ce_subject": "checkout-4417",
        "ce_time": "2026-02-03T04:05:06Z",
        "ce_dataschema": "https://cloudevents-gateway.dev/schemas/envelope.schema.json",
        "ce_partitionkey": "incident/checkout-4417",
        "content-type": "application/json",
    }
    assert_is_envelope(record.value)


def test_header_names_are_not_repeated(door: Door) -> None:
    names = [name for name, _ in publish(door, cloudevent(note="x", partitionkey="mine")).headers]
    assert len(names) == len(set(names))


def test_header_values_are_utf_8_without_percent_encoding(door: Door) -> None:
    record = publish(door, cloudevent(note="100 % größer €"))
    assert dict(record.headers)["ce_note"] == "100 % größer €".encode()


def test_extensions_are_kept_but_not_the_attributes_of_the_senders_event(door: Door) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    record = publish(door, cloudevent(traceparent=trace, sampledrate=5, subject="theirs", dataschema="urn:x"))
    sent = headers(record)
    assert (sent["ce_traceparent"], sent["ce_sampledrate"]) == (trace, "5")
    assert sent["ce_subject"] == "shop"
    assert sent["ce_dataschema"].endswith("envelope.schema.json")
    assert envelope(record)["origin"]["schema"] == "urn:x"


def test_the_partitionkey_is_the_records_own_key(door: Door) -> None:
    assert headers(publish(door, cloudevent(partitionkey="mine")))["ce_partitionkey"] == "service/shop"


def test_nanoseconds_are_kept(door: Door) -> None:
    record = publish(door, bound(detected(timestamp="2026-02-03T04:05:06.123456789Z")))
    assert headers(record)["ce_time"] == "2026-02-03T04:05:06.123456789Z"
    assert envelope(record)["time"] == "2026-02-03T04:05:06.123456789Z"


def test_the_type_prefix_is_a_setting() -> None:
    record = publish(Door(type_prefix="com.acme"), deployed(), "application/json")
    assert headers(record)["ce_type"] == "com.acme.service.deployed.v1"


# -- structured mode ----------------------------------------------------------------------------------------


def test_in_structured_mode_the_value_is_the_whole_event(structured_door: Door) -> None:
    record = publish(structured_door, bound(detected()))
    assert headers(record) == {"content-type": "application/cloudevents+json"}
    event = json.loads(record.value)
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/monitoring",
        "type": "dev.cloudevents-gateway.incident.detected.v1",
        "subject": "checkout-4417",
        "time": "2026-02-03T04:05:06Z",
        "dataschema": "https://cloudevents-gateway.dev/schemas/envelope.schema.json",
        "datacontenttype": "application/json",
        "partitionkey": "incident/checkout-4417",
    }
    assert_is_envelope(json.dumps(data).encode())


def test_in_structured_mode_no_digit_of_the_payload_changes(structured_door: Door) -> None:
    body = b'{"event_name":"x","event_action":"y","team_id":"t","n":[1.10,1E5,18446744073709551615]}'
    record = publish(structured_door, body, "application/json")
    assert b'"payload":' + body in record.value


# -- the official SDK reads it back -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_official_sdk_reads_the_event_back(mode: str) -> None:
    event = bound(detected(timestamp="2026-02-03T04:05:06.5Z")) | {"note": "größer"}
    record = publish(Door(content_mode=mode), event)
    read = read_by_the_sdk(record)
    assert (read.get_id(), read.get_source(), read.get_subject()) == ("e-1", "/monitoring", "checkout-4417")
    assert read.get_time() == datetime(2026, 2, 3, 4, 5, 6, 500_000, UTC)
    assert read.get_extension("note") == "größer"
    assert read.get_extension("partitionkey") == record.key.decode()
    assert read.get_data() == record_envelope(record)


def record_envelope(record: Record) -> Any:
    value = json.loads(record.value)
    return value["data"] if "specversion" in value else value


def test_a_whole_batch_is_read_back_in_order(door: Door) -> None:
    door.send([cloudevent(id=str(n)) for n in range(5)], content_type=BATCHED)
    assert [read_by_the_sdk(record).get_id() for record in door.published] == list("01234")


# -- our own writer of headers ------------------------------------------------------------------------------

printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Cn", "Co", "Zl", "Zp"]), min_size=1)
times = st.datetimes(timezones=st.just(UTC)).map(timestamps.from_datetime) | st.just(
    "2026-01-02T03:04:05.123456789Z"
)
extension_names = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(
    lambda name: name not in CORE | {"data"}
)
envelopes = st.builds(
    Envelope,
    id=printable,
    source=printable,
    subject=st.builds(Subject, st.sampled_from(["incident", "service"]), printable),
    predicate=st.sampled_from(["detected", "deployed", "x"]),
    time=times,
    received=times,
    system=st.just("cdevents"),
    origin=st.builds(Origin),
    details=st.builds(Details),
    open_ended=st.booleans(),
    extensions=st.dictionaries(extension_names | st.just("partitionkey"), st.text(max_size=9), max_size=3),
)


@given(envelopes)
def test_the_headers_of_an_event_are_those_that_the_sdk_writes(taken: Envelope) -> None:
    router = ROUTER.route(taken, {})
    own = {name.removeprefix("ce_"): value.decode() for name, value in router.headers}
    attributes = {("datacontenttype" if name == "content-type" else name): own[name] for name in own}
    assert len(own) == len(router.headers)
    assert attributes.items() >= {
        "id": taken.id, "source": taken.source, "subject": taken.subject.id, "time": taken.time,
        "partitionkey": router.key.decode(), "specversion": "1.0", "datacontenttype": "application/json",
    }.items()  # fmt: skip
    assert attributes.keys() == REQUIRED | taken.extensions.keys()
    headers, value = binary(attributes, router.value)
    assert dict(headers) == dict(router.headers)
    assert value == router.value


@given(envelopes)
def test_a_record_says_its_size(taken: Envelope) -> None:
    for router in (ROUTER, STRUCTURED_ROUTER):
        record = router.route(taken, {"a": 1})
        told = sum(len(name) + len(value) for name, value in record.headers)
        assert record.size == len(record.key) + len(record.value) + told
        assert (
            replace(record, headers=(("a", b"bc"),), size=0).size == len(record.key) + len(record.value) + 3
        )


@given(envelopes)
def test_both_content_modes_say_the_same(taken: Envelope) -> None:
    record, other = ROUTER.route(taken, {"a": 1}), STRUCTURED_ROUTER.route(taken, {"a": 1})
    event = json.loads(other.value)
    assert event.pop("data") == json.loads(record.value)
    told = {name.removeprefix("ce_"): value.decode() for name, value in record.headers}
    assert event == {("datacontenttype" if name == "content-type" else name): told[name] for name in told}
    assert (record.topic, record.key, record.source, record.id) == (
        other.topic, other.key, other.source, other.id,
    )  # fmt: skip
