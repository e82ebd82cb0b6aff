"""Every class of bad input, as data: the numbers are those of the catalogue in ``docs/bad-input.md``.

A ``Row`` is a request and what is answered. Rows of one number are examples of one class, and a row that is
taken (202) stands where the catalogue would refuse and this gateway argues that it should not. What the HTTP
server answers before the gateway sees anything is in ``bad_bytes.py``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway import strict_json
from gateway.web.body import RATIO_FLOOR
from tests.door import BATCHED, JSON, MAX_BODY, STRUCTURED
from tests.samples import (
    EVENT,
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


@dataclass(frozen=True, kw_only=True)
class Row:
    number: int
    name: str
    status: int
    type: str = ""  # of the problem document
    body: Any = field(default_factory=deployed)
    path: str = "/events"
    method: str = "POST"
    content_type: str | None = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"row-{self.number:02}-{self.name.replace(' ', '-')}"


# What other modules show, which know more about it.
ELSEWHERE = {
    70: "tests/test_credentials.py",
    71: "tests/test_guard.py",
    72: "tests/test_credentials.py",
    73: "tests/test_credentials.py",
    74: "tests/integration/test_credentials.py",
    75: "tests/test_credentials.py",
    76: "tests/test_guard.py",
    78: "tests/test_handshake.py",
}

GZIP = {"Content-Encoding": "gzip"}
PACKED = gzip.compress(EVENT)
LONG = "a" * 100_000
METADATA = "http://169.254.169.254/latest/meta-data"
CUSTOM = "dev.cdeventsx.tool-thing.done"


def based(text: str) -> Json:
    return without(cloudevent(), "data") | {"data_base64": text}


def closed() -> Json:
    """A CDEvent with a member that its schema does not allow."""
    document = detected()
    document["subject"]["content"]["colour"] = "red"
    return document


def rows(number: int, status: int, type: str, /, **bodies: Any) -> Iterator[Row]:
    """One row for each body, or for each dictionary of what a row is made of."""
    for name, body in bodies.items():
        made = (
            body if isinstance(body, dict) and body.keys() <= Row.__annotations__.keys() else {"body": body}
        )
        yield Row(number=number, name=name.replace("_", " "), status=status, type=type, **made)


def http() -> Iterator[Row]:
    yield from rows(
        8, 415, "unsupported-encoding", gzip_then_chunked={"headers": {"Transfer-Encoding": "gzip, chunked"}}
    )
    yield from rows(
        20,
        404,
        "not-found",
        unknown_path={"path": "/nowhere"},
        NUL={"path": "/events%00"},
        slash_at_the_end={"path": "/events/"},
        double_slash={"path": "/events//ctoai"},
        dot_segments={"path": "/events/%2e%2e/livez"},
    )
    yield from rows(
        21,
        405,
        "method-not-allowed",
        get={"method": "GET"},
        put={"method": "PUT"},
        delete={"method": "DELETE"},
        put_on_ctoai={"method": "PUT", "path": "/events/ctoai"},
        head={"method": "TRACE"},
    )
    yield from rows(22, 413, "too-large", over_the_limit=EVENT.ljust(MAX_BODY + 1))
    yield from rows(
        24,
        413,
        "too-large",
        over_the_limit_unpacked={"body": gzip.compress(EVENT.ljust(MAX_BODY + 1)), "headers": GZIP},
        ratio={"body": gzip.compress(EVENT.ljust(RATIO_FLOOR * 2)), "headers": GZIP},
    )
    yield from rows(
        25,
        415,
        "unsupported-encoding",
        unknown={"headers": {"Content-Encoding": "br"}},
        stacked={"body": gzip.compress(PACKED), "headers": {"Content-Encoding": "gzip, gzip"}},
    )
    yield from rows(
        25,
        400,
        "malformed-body",
        truncated={"body": PACKED[:-1], "headers": GZIP},
        trailing={"body": PACKED + b"x", "headers": GZIP},
        two_members={"body": PACKED + PACKED, "headers": GZIP},
        not_packed={"body": EVENT, "headers": GZIP},
    )
    yield from rows(
        26,
        415,
        "unsupported-media-type",
        missing={"content_type": None},
        text={"content_type": "text/plain"},
        nonsense={"content_type": ";;"},
    )
    yield from rows(
        27,
        415,
        "unsupported-charset",
        latin={"content_type": f"{JSON}; charset=latin-1"},
        utf_16={"content_type": f'{JSON}; Charset="UTF-16"'},
    )
    form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
    yield from rows(28, 415, "unsupported-media-type", form={"body": b"payload=%7B%7D", "content_type": form})
    yield from rows(
        29,
        415,
        "unsupported-media-type",
        multipart={"body": b"--x\r\n\r\n{}\r\n--x--", "content_type": multipart},
    )
    yield from rows(
        77,
        202,
        "",
        accept_html={"headers": {"Accept": "text/html"}},
        accept_nonsense={"headers": {"Accept": ";q=x"}},
    )


def texts() -> Iterator[Row]:
    """What is wrong with the JSON itself."""
    text = EVENT.decode()
    number = b'{"event_name":"x","event_action":"y","team_id":"t","n":%s}'
    yield from rows(30, 400, "malformed-json", empty=b"", white_space=b" \r\n\t")
    yield from rows(
        31,
        400,
        "invalid-encoding",
        latin=b'{"a":"\xe9"}',
        overlong=b'{"a":"\xc0\xaf"}',
        beyond_unicode=b'"\xf4\x90\x80\x80"',
        utf_16=text.encode("utf-16"),
        utf_16_without_mark=text.encode("utf-16-le"),
        utf_32=text.encode("utf-32"),
        utf_32_without_mark=text.encode("utf-32-be"),
    )
    yield from rows(
        32, 400, "malformed-json", mark=b"\xef\xbb\xbf" + EVENT, two_marks=b"\xef\xbb\xbf" * 2 + EVENT
    )
    yield from rows(
        33,
        400,
        "malformed-json",
        truncated=EVENT[:-1],
        trailing=EVENT + b"x",
        trailing_NUL=EVENT + b"\0",
        two=EVENT * 2,
        ndjson=EVENT + b"\n" + EVENT,
    )
    yield from rows(
        34,
        400,
        "malformed-json",
        comment=b"/* */" + EVENT,
        single_quotes=b"{'a':1}",
        trailing_comma=EVENT[:-1] + b",}",
        raw_control=b'{"a":"\x01"}',
        raw_line_end=b'{"a":"\n"}',
    )
    yield from rows(
        35, 400, "duplicate-key", twice=EVENT[:-1] + b',"team_id":"u"}', escaped=b'{"a":1,"\\u0061":1}'
    )
    yield from rows(
        36,
        400,
        "malformed-json",
        nan=number % b"NaN",
        infinity=number % b"Infinity",
        minus=number % b"-Infinity",
    )
    yield from rows(37, 400, "number-out-of-range", exponent=number % b"1e999", minus=number % b"-1e309")
    yield from rows(
        38,
        400,
        "number-out-of-range",
        digits=number % (b"1" * 4_301),
        beyond_64_bits=number % str(2**64).encode(),
        below_64_bits=number % str(-(2**63) - 1).encode(),
    )
    yield from rows(
        38,
        202,
        "",
        beyond_doubles=number % str(2**53 + 1).encode(),
        nanoseconds=number % b"1767323045123456789",
    )
    yield from rows(
        39,
        400,
        "too-deep",
        objects=b'{"a":' * 64 + b"{}" + b"}" * 64,
        arrays=b"[" * 65 + b"]" * 65,
        endless=b"[" * 100_000,
    )
    yield from rows(
        40,
        400,
        "too-complex",
        members=dict.fromkeys(map(str, range(strict_json.MAX_MEMBERS + 1))),
        items=[0] * (strict_json.MAX_MEMBERS + 1),
        name={"n" * (strict_json.MAX_NAME + 1): 1},
    )
    yield from rows(
        41,
        400,
        "invalid-encoding",
        high=b'{"a":"\\ud800"}',
        low=b'{"\\udc00":1}',
        swapped=b'"\\udc00\\ud800"',
    )


def documents() -> Iterator[Row]:
    """What is wrong with the sender's document."""
    yield from rows(
        42,
        400,
        "invalid-character",
        NUL=deployed(repo="a\0b"),
        C0=deployed(repo="a\x1fb"),
        C1=deployed(repo="a\x85b"),
        bidi=deployed(repo="a\u202eb"),
        isolate=provisioned(event_id="\u2066a"),
        joiner=detected(id="a\u200db"),
        bidi_in_an_id={"body": cloudevent(id="a\u202eb"), "content_type": STRUCTURED},
        bidi_in_a_type={"body": cloudevent(type="a\u202eb"), "content_type": STRUCTURED},
        bidi_in_a_subject={"headers": ce_headers(subject="%E2%80%AE")},
    )
    yield from rows(
        42,
        400,
        "invalid-cloudevent",
        NUL_in_an_id={"body": cloudevent(id="a\0b"), "content_type": STRUCTURED},
        C1_in_a_subject={"body": cloudevent(subject="a\x85b"), "content_type": STRUCTURED},
    )
    systems = ("cdevents", "ctoai", "ibm", "tracker", "incidents")
    for system in systems:
        yield from rows(
            43, 422, "schema-violation", **{f"array_for_{system}": {"body": [], "path": f"/events/{system}"}}
        )
    yield from rows(43, 422, "unrecognised", array=[], number=5, null=None, text="x")
    yield from rows(
        44,
        422,
        "schema-violation",
        number_for_text=deployed(team_id=5),
        true_for_integer=tracked(type=True),
        null_for_object=detected() | {"subject": None},
    )
    yield from rows(44, 202, "", whole_fraction=tracked(type=1.0))
    yield from rows(
        45,
        422,
        "schema-violation",
        missing=without(deployed(), "team_id"),
        unknown_where_closed=closed(),
        enum_in_another_case=incident(status="open"),
    )
    yield from rows(46, 422, "schema-violation", line_end=detected(type=f"{CUSTOM}.1.0.0\n"))
    yield from rows(
        47,
        422,
        "schema-violation",
        date_time=detected(timestamp="yesterday"),
        day=detected(timestamp="2026-02-30T00:00:00Z"),
        uri=detected(source="a b"),
    )
    yield from rows(
        48,
        422,
        "schema-violation",
        custom_type=detected(type=f"{CUSTOM}.1.1.{'1' * 100_000}!"),
        custom_tool=detected(type=f"dev.cdeventsx.{LONG}"),
        ibm_type=provisioned(event_type=f"resource-controller.{LONG}"),
        source=detected(source=f"http://{LONG}/{'/a' * 50_000} "),
    )
    yield from rows(49, 202, "", many_equal_objects=incident(services=[{"name": "shop"}] * 2_000))
    yield from rows(50, 400, "number-out-of-range", ten_to_the_400=EVENT[:-1] + b',"n":1' + b"0" * 400 + b"}")
    yield from rows(
        51,
        422,
        "unknown-event-type",
        type=detected(type="dev.cdevents.incident.noticed.0.3.0"),
        version=detected(type="dev.cdevents.incident.detected.9.0.0"),
    )
    yield from rows(52, 422, "ambiguous-dialect", two_systems=deployed() | incident())


def cloudevents() -> Iterator[Row]:
    """What is wrong with the CloudEvent around it."""

    def structured(**changes: Any) -> Json:
        return {"body": cloudevent() | changes, "content_type": STRUCTURED}

    def binary(**attributes: str) -> Json:
        return {"headers": ce_headers(**attributes)}

    def event(body: Any) -> Json:
        return {"body": body, "content_type": STRUCTURED}

    for name in ("id", "source", "type"):
        yield from rows(53, 400, "invalid-cloudevent", **{f"no_{name}": event(without(cloudevent(), name))})
    yield from rows(
        53,
        400,
        "invalid-cloudevent",
        no_specversion=event(without(cloudevent(), "specversion")),
        no_header_id={"headers": without(ce_headers(), "ce-id")},
        no_header_specversion={"headers": without(ce_headers(), "ce-specversion")},
    )
    yield from rows(
        54,
        400,
        "unsupported-specversion",
        older=structured(specversion="0.3"),
        newer=binary(specversion="2.0"),
    )
    yield from rows(
        55,
        400,
        "invalid-cloudevent",
        empty_id=structured(id=""),
        id_of_257_bytes=binary(id="i" * 257),
        wide_id=structured(id="é" * 129),
        source=structured(source="a b"),
    )
    moments = {
        "no_zone": "2026-02-03T04:05:06",
        "hour_24": "2026-02-03T24:00:00Z",
        "leap_second": "2026-12-31T23:59:60Z",
        "no_such_day": "2026-02-30T00:00:00Z",
        "five_digit_year": "12026-02-03T04:05:06Z",
        "year_0": "0000-01-01T00:00:00Z",
    }
    yield from rows(
        56, 400, "invalid-time", **{name: structured(time=time) for name, time in moments.items()}
    )
    yield from rows(
        56,
        202,
        "",
        far_future=structured(time="9999-12-31T23:59:59Z"),
        past=structured(time="1970-01-01T00:00:00Z"),
    )
    headers = {
        "bad_percent": "%zz",
        "half_percent": "a%4",
        "not_utf_8": "%C0%A0",
        "line_end": "a%0d%0ab",
        "surrogate": "%ED%A0%80",
    }
    yield from rows(
        57, 400, "invalid-cloudevent", **{name: binary(subject=text) for name, text in headers.items()}
    )
    yield from rows(58, 400, "unsupported-specversion", joined_specversion=binary(specversion="1.0,1.0"))
    yield from rows(
        58, 400, "invalid-time", joined_time=binary(time="2026-02-03T04:05:06Z,2026-02-03T04:05:06Z")
    )
    yield from rows(58, 202, "", joined_id=binary(id="a,b"))
    yield from rows(
        59,
        400,
        "invalid-cloudevent",
        upper_case=structured(Note="x"),
        underscore=structured(a_b="x"),
        reserved=binary(data="x"),
        empty=structured(**{"": "x"}),
    )
    yield from rows(59, 202, "", over_20=structured(averylongextensionnameindeed="x"))
    yield from rows(
        60,
        400,
        "invalid-cloudevent",
        object=structured(note={}),
        array=structured(note=[]),
        fraction=structured(note=1.5),
        integer=structured(note=2**31),
    )
    yield from rows(60, 202, "", null=structured(note=None))
    yield from rows(
        61,
        400,
        "invalid-cloudevent",
        both=structured(data_base64="e30="),
        alphabet=event(based("e3_=")),
        padding=event(based("e30")),
        line_end=event(based("e30=\n")),
        no_text=event(without(cloudevent(), "data") | {"data_base64": 5}),
    )
    yield from rows(
        62, 400, "malformed-json", binary={"body": b"<xml/>", **binary()}, base64=event(based("PHhtbC8+"))
    )
    bad = cloudevent(deployed(event_action="wobbled"), id="ce-2")
    yield from rows(63, 413, "too-large", batch_over_the_limit={"body": [1] * 1_001, "content_type": BATCHED})
    yield from rows(
        63, 422, "batch-invalid", one_bad_member={"body": [cloudevent(), bad], "content_type": BATCHED}
    )
    yield from rows(63, 422, "unrecognised", batch_as_plain_json=[deployed()])
    yield from rows(63, 202, "", empty_batch={"body": [], "content_type": BATCHED})
    for name in ("xml", "avro", "protobuf"):
        kind = f"application/cloudevents+{name}"
        yield from rows(64, 415, "unsupported-media-type", **{name: {"content_type": kind}})
        yield from rows(
            64,
            415,
            "unsupported-media-type",
            **{f"batch_of_{name}": {"content_type": kind.replace("+", "-batch+")}},
        )
    yield from rows(
        65,
        422,
        "envelope-mismatch",
        id=event(bound(detected()) | {"id": "other"}),
        type=event(bound(detected()) | {"type": "dev.cdevents.incident.resolved.0.3.0"}),
        subject=event(bound(detected()) | {"subject": "other"}),
    )


def envelopes() -> Iterator[Row]:
    """What becomes of documents that name places, or would make names."""
    names = {"$ref": METADATA, "$schema": "file:///etc/passwd", "schemaUri": METADATA}
    yield from rows(
        66,
        202,
        "",
        dataschema={"body": cloudevent(dataschema=METADATA), "content_type": STRUCTURED},
        dataref={"body": cloudevent(dataref="file:///etc/passwd"), "content_type": STRUCTURED},
        ref_and_schema=deployed(**names),
    )
    for name, text in {
        "dots": "..",
        "slash": "a/b",
        "internal": "__consumer_offsets",
        "long": "a" * 250,
    }.items():
        yield from rows(67, 202, "", **{name: deployed(event_name=text, event_action=text)})
    yield from rows(67, 400, "invalid-character", over_a_key=deployed(repo="a" * 1_025))
    yield from rows(68, 413, "too-large", record=deployed(x="x" * 1_000_000))
    yield from rows(69, 202, "", kib_65=deployed(x="x" * 66_560), kib_256=deployed(x="x" * 262_144))


ROWS = (*http(), *texts(), *documents(), *cloudevents(), *envelopes())
