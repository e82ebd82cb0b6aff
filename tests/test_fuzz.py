"""Whatever events are sent: never a 5xx, nothing published unless 202, and only envelopes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from werkzeug.test import TestResponse

from gateway.web.routes import INTAKES
from tests.door import BATCHED, JSON, STRUCTURED, Door, Front
from tests.examples import Example
from tests.fuzzing import EXAMPLES, READABLE, assert_answered_well, fresh_door, fuzzed, pick
from tests.mutations import cut, mutate, values

pytestmark = pytest.mark.usefixtures("front")

PATCHED = next(example for example in EXAMPLES if example.name == "incidents/patch-open")


@pytest.fixture(scope="module")
def wide_door(front: Front) -> Door:
    """A door that the tests of this module leave open, without the noise of what it logs."""
    return fresh_door()


def repost(door: Door, example: Example, body: bytes, headers: Mapping[str, str]) -> TestResponse:
    return door.client.open(example.path, method=example.method, data=body, headers=headers)


HEADER_NAMES = """
    content-type content-encoding ce-id ce-source ce-type ce-specversion ce-time ce-subject ce-dataschema
    ce-datacontenttype ce-data ce-data-base64 ce- ce-note ce-traceparent ce-partitionkey
    idempotency-key webhook-id x-delivery-id x-scope-orgid
"""
HEADER_VALUES = [
    "", " ", '"', '""', "%", "%00", "%C0%A0", "%F0%9F%98%80", "é", "1.0", "x" * 300, ";", "a,b", "a/b",
    "identity", JSON, STRUCTURED, BATCHED, "application/json; charset=utf-16", "application/cloudevents",
]  # fmt: skip
header_names = st.sampled_from(HEADER_NAMES.split())
latin = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=20)
header_values = st.sampled_from(HEADER_VALUES) | latin


@st.composite
def bent(draw: DrawFn) -> tuple[Example, Any]:
    """An example, and its body with members changed."""
    example = pick(draw, READABLE)
    return example, mutate(draw, json.loads(example.body))


@st.composite
def torn(draw: DrawFn) -> tuple[Example, bytes]:
    """An example, and its body with bytes changed."""
    example = pick(draw, EXAMPLES)
    return example, cut(draw, example.body)


@st.composite
def relabelled(draw: DrawFn) -> tuple[Example, dict[str, str]]:
    """An example, and its headers with some changed."""
    example = pick(draw, EXAMPLES)
    return example, example.headers | draw(
        st.dictionaries(header_names, header_values, min_size=1, max_size=4)
    )


@fuzzed
@given(bent())
def test_an_example_with_its_members_changed(wide_door: Door, sent: tuple[Example, Any]) -> None:
    example, document = sent
    answer = repost(wide_door, example, json.dumps(document).encode(), example.headers)
    assert_answered_well(wide_door, answer)


@fuzzed
@given(bent(), st.sampled_from(INTAKES), st.sampled_from([JSON, STRUCTURED, BATCHED]))
def test_an_example_on_another_path(
    wide_door: Door, sent: tuple[Example, Any], intake: Any, kind: str
) -> None:
    path = intake.rule.replace("<resource>", "7")
    answer = wide_door.send(sent[1], path, method=intake.method, content_type=kind)
    assert_answered_well(wide_door, answer)


@fuzzed
@given(st.lists(bent(), max_size=3), st.sampled_from(["data", "data_base64", "event"]))
def test_a_batch_of_examples(wide_door: Door, sent: list[tuple[Example, Any]], member: str) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    batch = [
        document
        if member == "event"
        else attributes | {member: document if member == "data" else _based(document)}
        for _, document in sent
    ]
    assert_answered_well(wide_door, wide_door.send(batch, content_type=BATCHED))


@fuzzed
@given(torn())
def test_an_example_with_its_bytes_changed(wide_door: Door, sent: tuple[Example, bytes]) -> None:
    example, body = sent
    assert_answered_well(wide_door, repost(wide_door, example, body, example.headers))


@fuzzed
@given(relabelled())
def test_an_example_with_its_headers_changed(wide_door: Door, sent: tuple[Example, dict[str, str]]) -> None:
    example, changed = sent
    assert_answered_well(wide_door, repost(wide_door, example, example.body, changed))


@fuzzed
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), values)
def test_any_path(wide_door: Door, resource: str, title: Any) -> None:
    update = json.loads(PATCHED.body) | {"title": title}
    answer = wide_door.send(update, f"/events/incidents/{quote(resource)}", method="PATCH")
    assert_answered_well(wide_door, answer)


def _based(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
