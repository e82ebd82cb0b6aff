"""Whatever requests are sent, by bytes, codings and headers: the same promises as in ``test_fuzz.py``."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gateway.web.routes import INTAKES
from tests.bad_input import ROWS, Row
from tests.door import BATCHED, JSON, STRUCTURED, Door, Front
from tests.fuzzing import EXAMPLES, assert_answered_well, fresh_door, fuzzed, pick
from tests.mutations import cut
from tests.samples import EVENT, ce_headers

pytestmark = pytest.mark.usefixtures("front")


@pytest.fixture(scope="module")
def wide_door(front: Front) -> Door:
    return fresh_door()


@dataclass(frozen=True)
class Sent:
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/events"
    method: str = "POST"


def joined(parts: list[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), max_size=most).map("".join)


MEDIA_TYPE_PARTS = ["application/", "text/", "json", "cloudevents", "-batch", "+json", "+xml", "/", "*", "é"]
PARAMETER_PARTS = ["; ", "charset=", "utf-8", "utf-16", '"', "=", ",", " "]
CODING_PARTS = ["gzip", ",", " ", "identity", "br", "deflate", ";q=0", "*", "é"]
HEADER_PARTS = """
    % %2 %zz %00 %0D%0A %7f %C2%85 %C3%A9 %C3 %ED%A0%80 %F0%9F%98%80 %25 %2541 %E2%80%AE %EF%BF%BF %EF%BB%BF
    " \\ a , ; / : é 1.0
"""

ATTRIBUTES = "id source type specversion subject time dataschema data datacontenttype note traceparent a-b"

media_types = st.sampled_from([JSON, STRUCTURED, BATCHED]) | joined(
    MEDIA_TYPE_PARTS + PARAMETER_PARTS, most=6
)
codings = st.sampled_from(["gzip", "x-gzip", "GZIP", "identity", ""]) | joined(CODING_PARTS, most=4)
escaped = joined([*HEADER_PARTS.split(), " ", "x" * 200], most=8)
attributes = st.sampled_from(ATTRIBUTES.split())


@st.composite
def anything(draw: DrawFn) -> Sent:
    """Any bytes, on any path, said to be anything."""
    intake = draw(st.sampled_from(INTAKES))
    body = draw(st.binary(max_size=200))
    return Sent(
        body, {"Content-Type": draw(media_types)}, intake.rule.replace("<resource>", "7"), intake.method
    )


@st.composite
def packed(draw: DrawFn) -> Sent:
    """An example as gzip, once or several times, and then perhaps cut, altered or repeated."""
    example = pick(draw, EXAMPLES)
    body = example.body
    for _ in range(draw(st.integers(1, 2))):
        body = gzip.compress(body, draw(st.integers(0, 9)), mtime=0)
    body = draw(st.sampled_from([body, body, body * 2, body[:-1], body + b"\0"]))
    body = cut(draw, body) if draw(st.booleans()) else body
    headers = example.headers | {"Content-Encoding": draw(codings)}
    return Sent(body, headers, example.path, example.method)


@st.composite
def percent_encoded(draw: DrawFn) -> Sent:
    """A CloudEvent in binary mode whose headers are encoded oddly."""
    changed = draw(st.dictionaries(attributes.map("ce-{}".format), escaped, min_size=1, max_size=3))
    return Sent(EVENT, {"Content-Type": JSON} | ce_headers() | changed)


@st.composite
def bad_rows(draw: DrawFn) -> tuple[Row, Row, str]:
    """The headers of one class of bad input around the body of another."""
    first, second = (ROWS[draw(st.integers(0, len(ROWS) - 1))] for _ in range(2))
    return first, second, draw(media_types)


@fuzzed
@given(anything() | packed() | percent_encoded())
def test_any_request(wide_door: Door, sent: Sent) -> None:
    answer = wide_door.client.open(sent.path, method=sent.method, data=sent.body, headers=sent.headers)
    assert_answered_well(wide_door, answer)


@fuzzed
@given(packed())
def test_packed_bodies(wide_door: Door, sent: Sent) -> None:
    answer = wide_door.client.open(sent.path, method=sent.method, data=sent.body, headers=sent.headers)
    assert_answered_well(wide_door, answer)


@fuzzed
@given(percent_encoded())
def test_attributes_in_headers(wide_door: Door, sent: Sent) -> None:
    answer = wide_door.client.open(sent.path, method=sent.method, data=sent.body, headers=sent.headers)
    assert_answered_well(wide_door, answer)


@fuzzed
@given(bad_rows())
def test_two_classes_of_bad_input_at_once(wide_door: Door, sent: tuple[Row, Row, str]) -> None:
    first, second, media_type = sent
    kind = first.content_type or media_type
    answer = wide_door.send(
        second.body,
        first.path,
        method=first.method,
        content_type=kind,
        headers=second.headers | first.headers,
    )
    assert_answered_well(wide_door, answer)
