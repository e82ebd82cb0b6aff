"""The quick decider: what it takes, the exact one takes; nothing it does not take is refused for that."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deciders import compile_all
from gateway.formats import FORMATS, PATTERNS
from tests.examples import SCHEMAS

QUICK = {name: jsonschema_rs.Draft202012Validator({"pattern": text}) for name, text in PATTERNS.items()}
EDGES = [
    "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-04-30T24:00:00Z",
    "2026-12-31T23:59:60Z", "2026-12-31T23:59:59.Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00", "2026-01-02T03:04:05Z\n", "2026-01-02 03:04:05Z", "2026-01-02t03:04:05z",
    "\uff12026-01-02T03:04:05Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
    "2026-01-32T00:00:00Z", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05.123456789123456789Z",
    "1767323045", "1767323045.5", "99999999999", "a:b\n", "a b", "http://a/%4", "//[::1]:80/é", "", "?#",
]  # fmt: skip


@pytest.mark.parametrize("format", sorted(PATTERNS))
@given(st.data())
def test_what_looks_like_a_format_is_of_the_format(format: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(PATTERNS[format]) | st.sampled_from(EDGES) | st.text(max_size=30))
    if QUICK[format].is_valid(text):
        assert FORMATS[format](text)
    elif format.startswith("uri"):  # these are told wholly by their patterns
        assert not FORMATS[format](text)


def one(schema: dict[str, Any]) -> Any:
    """The decider of one schema."""
    return compile_all({"one": {"$id": "https://s.example/one.schema.json"} | schema})["one"]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2026-02-28T00:00:00Z", True),
        ("2024-02-29T00:00:00Z", True),  # not by the pattern
        ("1850-01-01T00:00:00Z", True),
        ("2023-02-29T00:00:00Z", False),
    ],
)
def test_a_day_that_the_pattern_leaves_out_is_asked_of_the_calendar(text: str, valid: bool) -> None:
    assert one({"format": "date-time"}).is_valid(text) is valid
    assert one({"not": {"format": "date-time"}}).is_valid(text) is not valid
    assert one({"if": {"format": "date-time"}, "then": False}).is_valid(text) is not valid


def test_a_format_holds_beside_a_pattern_and_allof() -> None:
    decider = one({"format": "uri", "pattern": "^a", "allOf": [{"maxLength": 5}]})
    assert [text for text in ("a:b", "b:a", "a b", "a:bcdef", "a") if decider.is_valid(text)] == ["a:b"]


def test_a_constant_that_looks_like_a_schema_stays_what_it_is() -> None:
    decider = one({"const": {"format": "uri"}})
    assert decider.is_valid({"format": "uri"})
    assert not decider.is_valid({"pattern": PATTERNS["uri"]})


def test_a_bad_name_is_found_among_names_seen_before() -> None:
    decider = one({"type": "object", "propertyNames": {"pattern": "^[a-z]*$"}})
    for _ in range(2):
        assert decider.is_valid({"a": 1, "b": 2})
        assert decider.is_valid({"a": 1})
        assert not decider.is_valid({"a": 1, "B": 2})
        assert not decider.is_valid(5)


def test_the_names_that_are_remembered_are_bounded() -> None:
    decider = one({"type": "object", "propertyNames": {"pattern": "^[a-z0-9]*$"}})
    for number in range(3_000):
        assert decider.is_valid({f"n{number}": 1})
    assert decider.is_valid({"x" * 100_000: 1})
    assert len(decider._good_names) <= 1_000
    assert max(map(len, decider._good_names)) <= 64


def test_every_schema_file_profits() -> None:
    schemas = {str(path): json.loads(path.read_bytes()) for path in SCHEMAS.rglob("*.schema.json")}
    called: list[str] = []

    def told(text: str) -> bool:
        called.append(text)
        return True

    before = dict(FORMATS)
    FORMATS.update(dict.fromkeys(FORMATS, told))
    try:
        deciders = compile_all(schemas)
    finally:
        FORMATS.update(before)
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": "2026-01-02T03:04:05Z"}
    assert deciders[str(SCHEMAS / "cloudevents.schema.json")].is_valid(event)
    assert called == []
