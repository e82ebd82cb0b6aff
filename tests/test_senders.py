"""What a source may say about its senders: groups, control messages, header marks, other media types."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from gateway import dead_letters
from gateway.model import Details, Document, Envelope, Message, Subject
from gateway.schemas import SchemaStore
from gateway.sources import Sources, groups
from gateway.sources.disguises import FORM, PLAIN_TEXT, as_it_is, in_payload
from gateway.sources.reading import Reader
from gateway.sources.source import Control, Disguise, Pair, Source, event_time, identity, origin
from tests.door import BATCHED, JSON, Door, envelope, pointers, told
from tests.samples import Json, ce_headers, cloudevent, deployed, without
from tests.test_dead_letter_records import stored

ALARM = {"X-Alarm": "fire"}


class Alarms(Source):
    """A system that does what any system may do."""

    name = "alarms"
    title = "Alarms"
    marks = "an object with rooms"
    header_marks = ("x-alarm",)
    headers_read = ("x-alarm-tenant",)
    disguises = (Disguise("x-alarm", FORM, in_payload), Disguise("x-alarm", PLAIN_TEXT, as_it_is))
    group = ("house", "rooms")
    controls = ("ping",)

    def pairs(self) -> frozenset[Pair]:
        return frozenset({("incident", "detected")})

    def recognise(self, document: Document) -> bool:
        return isinstance(document.data, dict) and "house" in document.data

    def schema(self, document: Document) -> str:
        return "alarms.schema.json"

    def control(self, document: Document) -> Control | None:
        return Control(self.name, "ping", "confirm it there") if document.data == {"house": "ping"} else None

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        (room,) = document.data["house"]["rooms"]
        tenant = document.message.headers.get("x-alarm-tenant")
        source, id = identity(document, document.message.source or f"/alarms/{tenant}", dated=False)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject("incident", room["name"]),
            predicate="detected",
            time=event_time(document),
            origin=origin(document, schema_id, id=None, type=None, source=None),
            details=Details(),
        )


class Others(Alarms):
    name = "others"
    header_marks = ("x-other",)


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.test/alarms.schema.json",
    "properties": {
        "house": {
            "properties": {"rooms": {"items": {"properties": {"name": {"type": "string", "minLength": 1}}}}}
        }
    },
}


def house(*rooms: str, **more: Any) -> Json:
    return {"before": 1.0, "house": {"no": 1, "rooms": [{"name": room} for room in rooms], "x": []}, **more}


@pytest.fixture
def alarmed(tmp_path: Path) -> Door:
    return with_sources(tmp_path, Alarms())


def with_sources(folder: Path, *sources: Source, **chosen: str) -> Door:
    """A gateway whose systems are these, and CTO.ai."""
    (folder / "alarms.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    made = Door(**{"systems": "ctoai", "max_batch_events": "3"} | chosen)
    pipeline = made.gateway.pipeline
    more = SchemaStore(folder)
    store = pipeline.schemas
    for name in ("_schemas", "_deciders", "_explainers", "ids", "deciders"):
        getattr(store, name).update(getattr(more, name))
    known = Sources([*pipeline.sources, *sources])
    pipeline.sources = known
    pipeline.reader = Reader(store, 3, known.lenient, known.disguises)
    pipeline.keeper._dead_letters._kept |= known.headers_read
    return made


def control_messages(door: Door) -> list[str]:
    lines = door.client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("gateway_control_messages_total")]


def rejected(door: Door, system: str) -> float:
    marks = ("gateway_events_total{", 'outcome="rejected"', f'system="{system}"')
    lines = door.client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if all(mark in line for mark in marks))


# -- groups -------------------------------------------------------------------------------------------------


def test_every_event_of_a_group_is_a_record_and_a_receipt_in_the_groups_order(alarmed: Door) -> None:
    answer = alarmed.send(house("hall", "attic", "hall"))
    assert answer.status_code == 202
    keys = ["incident/hall", "incident/attic", "incident/hall"]
    assert [receipt["key"] for receipt in told(answer)["events"]] == keys
    assert [record.key.decode() for record in alarmed.published] == keys
    assert len({receipt["id"] for receipt in told(answer)["events"]}) == 3


def test_the_payload_of_an_event_of_a_group_is_the_text_of_the_document_cut_to_it(alarmed: Door) -> None:
    alarmed.send(
        b'{"before": 1.00, "house": { "no": 1e0, "rooms": [{"name": "hall", "t": 2.50}, {"name":"attic"}],'
        b' "\\u0061f \\" ": [] }, "x": "]"}'
    )
    assert [record.value.partition(b'"payload":')[2] for record in alarmed.published] == [
        b'{"before":1.00,"house":{"no":1e0,"rooms":[{"name":"hall","t":2.50}],"\\u0061f \\" ":[]},"x":"]"}}',
        b'{"before":1.00,"house":{"no":1e0,"rooms":[{"name":"attic"}],"\\u0061f \\" ":[]},"x":"]"}}',
    ]


def test_one_bad_event_refuses_the_whole_group_and_every_fault_is_told(alarmed: Door) -> None:
    answer = alarmed.send(house("hall", "", ""))
    assert (answer.status_code, told(answer)["type"]) == (422, "schema-violation")
    assert pointers(answer) == ["/house/rooms/1/name", "/house/rooms/2/name"]
    assert alarmed.published == []
    assert rejected(alarmed, "alarms") == 3


def test_what_only_shows_when_an_event_is_normalised_is_told_with_its_place(alarmed: Door) -> None:
    answer = alarmed.send(house("hall", "a\u200bb", "c\u200bd"))
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-character")
    assert pointers(answer) == ["/house/rooms/1", "/house/rooms/2"]
    assert rejected(alarmed, "alarms") == 3


def test_a_group_larger_than_a_batch_may_be_is_too_large(alarmed: Door) -> None:
    answer = alarmed.send(house(*"abcd"))
    assert (answer.status_code, told(answer)["type"]) == (413, "too-large")
    assert rejected(alarmed, "alarms") == 4


def test_a_group_whose_events_share_too_much_is_too_large(tmp_path: Path) -> None:
    door = with_sources(tmp_path, Alarms(), max_batch_events="1000", max_in_flight_bytes="1048576")
    answer = door.send(house(*(f"room-{n}" for n in range(1_000)), shared="x" * 10_000))
    assert (answer.status_code, told(answer)["type"]) == (413, "too-large")
    assert rejected(door, "alarms") == 1_000


def test_an_empty_group_is_an_empty_list(alarmed: Door) -> None:
    answer = alarmed.send(house())
    assert (answer.status_code, told(answer)) == (202, {"events": []})


def test_a_group_in_a_cloudevent_is_taken_apart_too(alarmed: Door) -> None:
    headers = ce_headers()
    assert alarmed.send(house("hall", "attic"), headers=headers).status_code == 202
    assert [dict(record.headers)["ce_id"] for record in alarmed.published] == [b"ce-1/0", b"ce-1/1"]


def test_a_group_in_a_batch_gives_its_events_in_their_place(alarmed: Door) -> None:
    batch = [cloudevent(house("hall", "attic")), cloudevent(deployed(), id="ce-2")]
    answer = alarmed.send(batch, content_type=BATCHED)
    assert [receipt["key"] for receipt in told(answer)["events"]] == [
        "incident/hall",
        "incident/attic",
        "service/shop",
    ]


def test_a_bad_event_in_a_group_in_a_batch_is_told_with_its_place(alarmed: Door) -> None:
    batch = [cloudevent(deployed()), cloudevent(house("hall", ""), id="ce-2")]
    answer = alarmed.send(batch, content_type=BATCHED)
    assert (told(answer)["type"], pointers(answer)) == ("batch-invalid", ["/1/data/house/rooms/1/name"])
    assert (rejected(alarmed, "alarms"), rejected(alarmed, "ctoai")) == (2, 1)


def test_groups_in_a_batch_are_bounded_together(alarmed: Door) -> None:
    batch = [cloudevent(house("hall", "attic")), cloudevent(house("hall", "attic"), id="ce-2")]
    answer = alarmed.send(batch, content_type=BATCHED)
    assert (told(answer)["type"], pointers(answer)) == ("batch-invalid", ["/1/data"])
    assert "3 events at most" in told(answer)["errors"][0]["message"]
    assert alarmed.published == []


def test_a_member_that_is_missing_is_told() -> None:
    with pytest.raises(KeyError, match="rooms"):
        groups.around(b'{"house":{}}', ("house", "rooms"))


# -- control messages ---------------------------------------------------------------------------------------


def test_a_control_message_is_answered_logged_and_counted_and_never_published(
    alarmed: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = alarmed.send({"house": "ping"})
    assert (answer.status_code, told(answer)) == (202, {"events": []})
    assert alarmed.publisher.records == []
    assert control_messages(alarmed) == ['gateway_control_messages_total{kind="ping",system="alarms"} 1.0']
    assert "gateway_events_total{" not in alarmed.client.get("/metrics").text
    (line,) = [record for record in caplog.records if record.message == "control message"]
    assert vars(line)["told"] == "confirm it there"
    assert vars(line)["request"] == answer.headers["X-Request-Id"]


def test_a_control_message_in_a_batch_is_counted_and_gives_no_receipt(alarmed: Door) -> None:
    batch = [cloudevent({"house": "ping"}), cloudevent(deployed(), id="ce-2")]
    answer = alarmed.send(batch, content_type=BATCHED)
    assert [receipt["key"] for receipt in told(answer)["events"]] == ["service/shop"]
    assert len(control_messages(alarmed)) == 1


def test_a_control_message_in_a_batch_that_is_refused_is_not_counted(alarmed: Door) -> None:
    batch = [cloudevent({"house": "ping"}), cloudevent({"event_name": "x"}, id="ce-2")]
    assert alarmed.send(batch, content_type=BATCHED).status_code == 422
    assert control_messages(alarmed) == []


# -- headers ------------------------------------------------------------------------------------------------


def test_a_header_decides_before_the_body(alarmed: Door) -> None:
    answer = alarmed.send(deployed() | house("hall"), headers=ALARM)
    assert told(answer)["events"][0]["key"] == "incident/hall"


def test_the_marks_of_two_headers_are_refused_and_both_named(tmp_path: Path) -> None:
    door = with_sources(tmp_path, Alarms(), Others())
    answer = door.send(house("hall"), headers=ALARM | {"X-Other": "1"})
    assert (answer.status_code, told(answer)["type"]) == (422, "ambiguous-dialect")
    assert "alarms and others" in told(answer)["detail"]


def test_a_pinned_path_wins_over_a_header(alarmed: Door) -> None:
    answer = alarmed.send(deployed(), "/events/ctoai", headers=ALARM)
    assert told(answer)["events"][0]["key"] == "service/shop"


def form(document: Any) -> bytes:
    return f"a=b&payload={quote_plus(json.dumps(document))}&c=".encode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(house("hall + attic & €")), FORM),
        (form(house("hall + attic & €")), f"{FORM}; charset=UTF-8"),
        (json.dumps(house("hall + attic & €")).encode(), "text/plain; charset=UTF-8"),
    ],
)
def test_json_in_disguise_is_read_when_a_header_says_whose_it_is(
    alarmed: Door, body: bytes, content_type: str
) -> None:
    answer = alarmed.send(body, content_type=content_type, headers=ALARM)
    assert answer.status_code == 202
    assert envelope(alarmed.published[0])["payload"] == house("hall + attic & €")


@pytest.mark.parametrize(
    ("path", "headers", "content_type"),
    [
        ("/events", {}, FORM),
        ("/events", {}, PLAIN_TEXT),
        ("/events", ALARM, "text/html"),
        ("/events/ctoai", ALARM, FORM),
    ],
)
def test_without_that_header_or_for_another_system_it_stays_refused(
    alarmed: Door, path: str, headers: dict[str, str], content_type: str
) -> None:
    answer = alarmed.send(form(house("hall")), path, content_type=content_type, headers=headers)
    assert (answer.status_code, told(answer)["type"]) == (415, "unsupported-media-type")


def test_the_pointers_of_a_form_are_into_the_json_inside(alarmed: Door) -> None:
    answer = alarmed.send(form(house("hall", "")), content_type=FORM, headers=ALARM)
    assert (answer.status_code, pointers(answer)) == (422, ["/house/rooms/1/name"])


@pytest.mark.parametrize("body", [b"", b"a=b", b"payload={}&payload={}", b"Payload={}"])
def test_a_form_without_one_payload_is_refused(alarmed: Door, body: bytes) -> None:
    answer = alarmed.send(body, content_type=FORM, headers=ALARM)
    assert (answer.status_code, told(answer)["type"]) == (400, "malformed-body")


def test_a_dead_letter_keeps_what_it_takes_to_recognise_it_again(alarmed: Door) -> None:
    sent = form(house("hall", ""))
    alarmed.send(sent, content_type=FORM, headers=ALARM | {"X-Alarm-Tenant": "acme", "X-Secret": "s3cret"})
    (record,) = alarmed.dead_letters
    assert b"s3cret" not in record.value
    pipeline = alarmed.gateway.pipeline
    kept = dead_letters.read(stored(record), pipeline.schemas, pipeline.sources.headers_read).content
    assert isinstance(kept, Message)
    assert kept.body == sent
    assert without(dict(kept.headers), "user-agent") == {
        "content-type": FORM,
        "x-alarm": "fire",
        "x-alarm-tenant": "acme",
    }


def test_json_without_a_disguise_is_read_beside_the_header_too(alarmed: Door) -> None:
    assert alarmed.send(house("hall"), content_type=JSON, headers=ALARM).status_code == 202
