"""Dead letters of records that Kafka refused too late to tell the sender; and reading dead letters back."""

from __future__ import annotations

import base64
import gzip
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace as changed

from gateway import dead_letters
from gateway.app import build_dead_letters
from gateway.dead_letters import DeadLetters
from gateway.errors import RecordRefused, TooLarge
from gateway.model import Fault, Message, Record, StoredRecord
from gateway.settings import Settings
from tests.consumer_schemas import assert_is_dead_letter
from tests.door import Door, envelope
from tests.samples import Json, deployed, record

REFUSED = RecordRefused("Kafka says no")


def maker(door: Door, **changes: Any) -> DeadLetters:
    return build_dead_letters(Settings(**changes), door.gateway.router, frozenset())


def published(door: Door) -> Record:
    """A record as it is read back from a spool."""
    assert door.send(deployed()).status_code == 202
    return changed(door.published[0], source="", id="")


def content(letter: Record | None) -> Json:
    assert letter is not None
    assert_is_dead_letter(letter.value)
    return dict(json.loads(letter.value))


def stored(letter: Record | None) -> StoredRecord:
    assert letter is not None
    return StoredRecord(
        topic=letter.topic,
        partition=0,
        offset=0,
        timestamp=0,
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
    )


def read(door: Door, letter: Record | None) -> dead_letters.Kept:
    return dead_letters.read(stored(letter), door.gateway.schemas)


def test_a_record_is_kept_as_it_was_with_what_its_envelope_says(door: Door) -> None:
    sent = published(door)
    found = content(maker(door).of_record(sent, REFUSED))
    assert (found["class"], found["system"], found["problem"]["type"]) == ("broker", "ctoai", REFUSED.type)
    assert found["receivedTime"] == envelope(sent)["receivedTime"]
    assert found["record"] == {
        "topic": sent.topic,
        "key": sent.key.decode(),
        "headers": {name: value.decode() for name, value in sent.headers},
        "value": sent.value.decode(),
        "valueEncoding": "utf-8",
    }


def test_a_record_that_is_refused_twice_gives_one_id(door: Door) -> None:
    sent = published(door)
    first, again = (maker(door).of_record(sent, REFUSED) for _ in range(2))
    other = maker(door).of_record(changed(sent, key=b"service/other"), REFUSED)
    assert first and again and other
    assert first.id == again.id != other.id


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_a_record_is_read_back_as_it_was(mode: str) -> None:
    door = Door(content_mode=mode)
    sent = published(door)
    kept = read(door, maker(door).of_record(sent, REFUSED))
    assert kept.content == sent
    assert (kept.fault, kept.system) == (Fault.BROKER, "ctoai")


def test_a_value_that_is_nearly_as_large_as_a_record_may_be_is_packed(door: Door) -> None:
    sent = record("events.custom", value=b'"' + b"x" * 999_900 + b'"')
    letter = maker(door).of_record(sent, REFUSED)
    assert content(letter)["record"]["valueEncoding"] == "gzip+base64"
    found = read(door, letter).content
    assert isinstance(found, Record) and found.value == sent.value


@pytest.mark.parametrize("value", [b"{}", b"[]", b"no json", b'{"payload":{}}'])
def test_a_record_of_any_other_shape_is_kept_too(door: Door, value: bytes) -> None:
    found = content(maker(door).of_record(record("events.custom", value=value), TooLarge("no")))
    assert (found["system"], found["class"]) == ("unknown", "broker")


def test_a_record_that_cannot_be_kept_whole_has_to_stay_where_it_is(door: Door) -> None:
    noise = json.dumps(random.Random(1).randbytes(800_000).hex()).encode()
    assert maker(door).of_record(record("events.custom", value=noise), REFUSED) is None


def test_a_dead_letter_that_is_refused_makes_no_other(door: Door) -> None:
    door.send({})
    assert maker(door).of_record(door.dead_letters[0], REFUSED) is None


def test_no_record_is_kept_when_dead_letters_are_off(door: Door) -> None:
    assert maker(door, dead_letters=False).of_record(published(door), REFUSED) is None


# -- requests, read back ------------------------------------------------------------------------------------

MESSAGE = Message(
    headers={"content-type": "application/json", "ce-id": "é"},
    body=b'{"\xff":1}',
    id="r-1",
    received=datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC),
    system="incidents",
    resource="INC-7",
    update=True,
)
MESSAGES = {
    "whole": MESSAGE,
    "least": Message(headers={}, body=b"", id="r-2", received=datetime(2026, 1, 2, tzinfo=UTC)),
    "packed": changed(MESSAGE, body=b"x" * 1_000_000),
}


@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_request_is_read_back_as_it_was(mode: str, message: Message) -> None:
    door = Door(content_mode=mode)
    letter = maker(door).of_request(message, REFUSED)
    assert letter and letter.whole
    kept = read(door, letter.record)
    assert kept.content == message
    assert (kept.id, kept.received) == (message.id, message.received)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"body": random.Random(1).randbytes(900_000)}, id="body"),
        pytest.param({"headers": {"ce-note": "x" * 20_000}}, id="header"),
        pytest.param({"headers": {f"ce-{'x' * 2_000}": "note"}}, id="name of a header"),
    ],
)
def test_a_request_that_is_not_whole_is_read_back_without_content(door: Door, changes: Json) -> None:
    letter = maker(door).of_request(changed(MESSAGE, **changes), REFUSED)
    assert letter and not letter.whole
    assert read(door, letter.record).content is None


VALID = {"version": "1", "class": "sender"}


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"7", json.dumps(VALID).encode(), json.dumps({"data": VALID}).encode()]
)
def test_what_is_no_dead_letter_is_told(door: Door, value: bytes) -> None:
    with pytest.raises(ValueError):
        read(door, record("events.deadletter", value=value))


PACKED = gzip.compress(b"packed", mtime=0)


@pytest.mark.parametrize("packed", [b"", b"no gzip", PACKED[:-9], PACKED[:-8], PACKED[:10] + b"\xff" * 20])
def test_a_body_that_cannot_be_unpacked_is_told(door: Door, packed: bytes) -> None:
    letter = maker(door).of_request(changed(MESSAGE, body=b"\xff"), REFUSED)
    assert letter
    found = content(letter.record)
    found["request"]["body"] = base64.b64encode(packed).decode() or "!"
    with pytest.raises(ValueError):
        read(door, changed(letter.record, value=json.dumps(found).encode()))
