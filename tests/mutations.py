"""Documents bent out of shape, for the tests that bend the examples."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

ODD_VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 5e-324, 1e300,
    2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 100_000_000_000, 253_402_300_799,
    "", " ", "\n", "a b", "0", "1", "9", "true", "é", "\x00", "a\tb", "\u202e", "\u200b", "\ufeff",
    "\U0010ffff", "x" * 17, "x" * 256, "x" * 2_100, "../../etc/passwd", "__consumer_offsets", "%s{}${jndi:x}",
    "a/b", "a.b", "2026-02-03T04:05:06Z", "2026-02-03T04:05:06.123456789+01:00", "2026-02-03", "1767323045",
    "-1", "0001-01-01T00:00:00+01:00", "urn:x", "http://a b", "//", "?", "open", "Close", "RESOLVED",
    "succeeded", "dev.cdevents.incident.resolved.0.2.0", "dev.cdeventsx.a-b.c.1.0.0", "0.4.0",
    "resource-controller. .x",
    [], {}, [[]], [None], ["a"], [{}], {"id": ""}, {"id": "a"}, {"a": {"b": [1]}},
]  # fmt: skip
ODD_NAMES = [
    "", " ", "id", "type", "source", "specversion", "data", "data_base64", "datacontenttype", "time",
    "subject", "context", "content", "links", "attributes", "status", "title", "startTime", "event_name",
    "event_id", "timestamp", "schemaUri", "chainId", "a/b", "~", "é", "\x00", "__proto__", "$ref",
    "x" * 2_000,
]  # fmt: skip

odd_values = st.sampled_from(ODD_VALUES).map(copy.deepcopy)  # what is drawn may be changed afterwards
values = odd_values | st.text(max_size=20) | st.integers(-(2**63), 2**64 - 1)
names = st.sampled_from(ODD_NAMES) | st.text(max_size=10)
scraps = st.binary(max_size=4) | st.sampled_from(
    [b'"', b"{", b"[", b"\\", b"\xff", b"\\ud800", b"1e999", b"NaN"]
)


def mutate(draw: DrawFn, document: Any) -> Any:
    """Give the document after one to four changes."""
    box = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 4))):
        places = list(_containers(box))
        _change(draw, places[draw(st.integers(0, len(places) - 1))])
    return box[0] if box else None


def cut(draw: DrawFn, text: bytes) -> bytes:
    """Give the text with bytes cut out, put in or changed."""
    changed = bytearray(text)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(changed)))
        changed[start : start + draw(st.integers(0, 8))] = draw(scraps)
    return bytes(changed)


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from _containers(child)


def _change(draw: DrawFn, place: Any) -> None:
    """Change, delete, insert, move or repeat something in an object or array."""
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    action = (
        draw(st.sampled_from(["change", "change", "delete", "insert", "move", "wrap"])) if keys else "insert"
    )
    if action == "insert":
        value = draw(values)
        if isinstance(place, dict):
            place[draw(names)] = value
        else:
            place.insert(draw(st.integers(0, len(place))), copy.deepcopy(place[0]) if place else value)
        return
    key = keys[draw(st.integers(0, len(keys) - 1))]
    if action == "change":
        place[key] = draw(values)
    elif action == "delete":
        del place[key]
    elif action == "wrap":
        place[key] = draw(st.sampled_from([[place[key]], {"value": place[key]}, str(place[key])]))
    else:
        other = keys[draw(st.integers(0, len(keys) - 1))]
        place[key], place[other] = place[other], place[key]
