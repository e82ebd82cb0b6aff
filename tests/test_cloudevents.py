"""CloudEvents 1.0.2 at the door: which events are CloudEvents, and how their attributes are read.

The classes of valid and invalid events are those of the official JSON format tests. Extension attributes are
handed on, so a header ``ce_note`` of the record shows how ``note`` was read.
"""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.door import JSON, STRUCTURED, Door, headers, pointers, told
from tests.samples import Json, ce_headers, cloudevent, deployed, provisioned

REQUIRED = ("specversion", "id", "source", "type")


def structured(door: Door, event: Any, path: str = "/events") -> TestResponse:
    return door.send(event, path, content_type=STRUCTURED)


# -- binary mode --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € \U0001f600"),
        ("%e2%82%ac", "€"),
        ("%41%42", "AB"),
        ("%2541", "%41"),
        ("a%25b", "a%b"),
        ('"a b"', "a b"),
        ('"say \\"hi\\" \\\\o/"', 'say "hi" \\o/'),
        ('"%41 b"', "A b"),
        ("%22a%22", '"a"'),
        ("a b", "a b"),
        ("a,b;c=d", "a,b;c=d"),
    ],
)
def test_a_header_is_decoded_once(door: Door, header: str, value: str) -> None:
    door.send(deployed(), headers=ce_headers(note=header))
    assert headers(door.published[0])["ce_note"] == value


@pytest.mark.parametrize(
    "header",
    ["%C0%A0", "%ED%A0%80", "%FF", "%zz", "%4", "100%", "é", "a%00b", "%0D%0Aevil: 1", "%7F", "%C2%85"],
)
def test_a_header_that_is_no_text_is_refused(door: Door, header: str) -> None:
    answer = door.send(deployed(), headers=ce_headers(note=header))
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-cloudevent")
    assert "'ce-note'" in told(answer)["errors"][0]["message"]
    assert door.published == []


@pytest.mark.parametrize("header", ["ce-datacontenttype", "ce-data"])
def test_a_header_that_must_not_be_there_is_refused(door: Door, header: str) -> None:
    answer = door.send(deployed(), headers=ce_headers() | {header: JSON})
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-cloudevent")


@pytest.mark.parametrize("media_type", [JSON, "application/cdevents+json", "text/json; charset=UTF-8"])
def test_binary_mode_takes_any_json(door: Door, media_type: str) -> None:
    assert door.send(deployed(), content_type=media_type, headers=ce_headers()).status_code == 202


def test_all_missing_headers_are_told_at_once(door: Door) -> None:
    answer = door.send(deployed(), headers={"CE-Note": "x"})
    messages = [error["message"] for error in told(answer)["errors"]]
    assert messages == [f"header 'ce-{name}' is required" for name in sorted(REQUIRED)]


def test_bad_and_missing_headers_are_told_together(door: Door) -> None:
    answer = door.send(deployed(), headers={"ce-id": "1", "ce-time": "now", "ce-subject": "%C0"})
    messages = " ".join(error["message"] for error in told(answer)["errors"])
    assert all(f"'ce-{name}'" in messages for name in ("source", "specversion", "type", "time", "subject"))


# -- structured mode ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2026-01-02T03:04:05.123456789Z"},
        {"time": "2026-01-02T03:04:05+05:45"},
        {"time": "2026-01-02T03:04:05-11:00"},
        {"source": "relative/reference?x#y"},
        {"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"},
        {"id": "\U0001f600"},
        dict.fromkeys(("datacontenttype", "dataschema", "subject", "time", "note")),
        {"datacontenttype": "application/json; charset=utf-8"},
        {"datacontenttype": "application/cdevents+json"},
        {"datacontenttype": "text/json"},
        {"note": ""},
        {"averylongextensionnameindeed": "x"},
        {"0digit": "x"},
        {"expirytime": "2026-01-02T03:04:05Z"},
    ],
    ids=str,
)
def test_a_valid_event_is_taken(door: Door, change: Json) -> None:
    answer = structured(door, cloudevent() | change)
    assert answer.status_code == 202, told(answer)


@pytest.mark.parametrize(
    ("change", "type"),
    [
        *(({name: ""}, "invalid-cloudevent") for name in ("id", "source", "type", "subject", "dataschema")),
        *(({name: 1}, "invalid-cloudevent") for name in ("id", "source", "type", "subject", "dataschema")),
        *(({name: None}, "invalid-cloudevent") for name in ("id", "source", "type")),
        ({"id": {"a": 1}}, "invalid-cloudevent"),
        ({"id": "i" * 257}, "invalid-cloudevent"),
        ({"source": "a b"}, "invalid-cloudevent"),
        ({"dataschema": "relative"}, "invalid-cloudevent"),
        ({"specversion": ""}, "unsupported-specversion"),
        ({"specversion": "0.9"}, "unsupported-specversion"),
        ({"specversion": "1"}, "unsupported-specversion"),
        ({"specversion": 1.0}, "unsupported-specversion"),
        ({"datacontenttype": ""}, "invalid-cloudevent"),
        ({"datacontenttype": "xyz"}, "invalid-cloudevent"),
        ({"datacontenttype": "application/json junk"}, "invalid-cloudevent"),
        ({"datacontenttype": "text/xml"}, "unsupported-media-type"),
        *(({"time": time}, "invalid-time") for time in ("2026-01-02T03:04Z", "2026-01-02T03:04:05X", "")),
        *(({"time": f"2026-01-02T03:04:05{offset}"}, "invalid-time") for offset in ("", "+25:00", "+05")),
        ({"time": "2026-01-02T03:04:05+01:60"}, "invalid-time"),
        ({"time": "Fri, 2 Jan 2026"}, "invalid-time"),
        ({"time": 1767323045}, "invalid-time"),
        *(({name: "x"}, "invalid-cloudevent") for name in ("Upper", "under_score", "da-sh", "do.t", "ä", "")),
        ({"note": {"a": 1}}, "invalid-cloudevent"),
        ({"note": ["a"]}, "invalid-cloudevent"),
        ({"note": 1.5}, "invalid-cloudevent"),
        ({"note": 2**31}, "invalid-cloudevent"),
        ({"note": -(2**31) - 1}, "invalid-cloudevent"),
        *(
            ({"note": f"a{char}b"}, "invalid-cloudevent")
            for char in "\x00\n\x1f\x7f\x9f\ufdd0\uffff\U0001fffe"
        ),
        ({"data_base64": "e30="}, "invalid-cloudevent"),
        ({"data": None}, "invalid-cloudevent"),
    ],
    ids=ascii,
)
def test_an_invalid_event_is_refused(door: Door, change: Json, type: str) -> None:
    answer = structured(door, cloudevent() | change)
    assert (answer.status_code // 100, told(answer)["type"]) == (4, type)
    assert all(pointer in ("", "/data", *(f"/{name}" for name in change)) for pointer in pointers(answer))
    assert door.published == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (2**31 - 1, "2147483647"), (-(2**31), "-2147483648")],
)
def test_an_extension_is_handed_on_in_its_canonical_form(door: Door, value: Any, text: str) -> None:
    structured(door, cloudevent(note=value))
    assert headers(door.published[0])["ce_note"] == text


def test_all_missing_attributes_are_told_at_once(door: Door) -> None:
    answer = structured(door, {"data": deployed(), "time": "now"})
    assert told(answer)["type"] == "invalid-cloudevent"
    assert pointers(answer) == [f"/{name}" for name in sorted((*REQUIRED, "time"))]


@pytest.mark.parametrize("event", [[], "x", 1, None, {}])
def test_a_structured_event_is_an_object_with_attributes(door: Door, event: Any) -> None:
    answer = structured(door, event)
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-cloudevent")


def test_in_structured_mode_the_payload_counts_and_headers_do_not(door: Door) -> None:
    door.send(cloudevent(), content_type=STRUCTURED, headers=ce_headers(id="other", note="x"))
    assert headers(door.published[0])["ce_id"] == "ce-1"
    assert "ce_note" not in headers(door.published[0])


# -- leniency -----------------------------------------------------------------------------------------------


def test_members_with_underscores_are_let_through_on_the_path_of_ibm_and_left_out(door: Door) -> None:
    event = cloudevent(provisioned(), notification_id="n-1", ibmensourceid="s-1")
    assert structured(door, event, "/events/ibm").status_code == 202
    sent = headers(door.published[0])
    assert sent["ce_ibmensourceid"] == "s-1"
    assert "ce_notification_id" not in sent


@pytest.mark.parametrize("path", ["/events", "/events/ctoai", "/events/cdevents"])
def test_members_with_underscores_are_refused_elsewhere(door: Door, path: str) -> None:
    answer = structured(door, cloudevent(provisioned(), notification_id="n-1"), path)
    assert (answer.status_code, pointers(answer)) == (400, ["/notification_id"])


def test_the_leniency_for_ibm_covers_names_only(door: Door) -> None:
    answer = structured(door, cloudevent(provisioned(), notification_id="n-1", id=""), "/events/ibm")
    assert (answer.status_code, pointers(answer)) == (400, ["/id"])
