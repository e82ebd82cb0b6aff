"""No text costs more than its length warrants: patterns of the schemas, formats, and costly keywords.

A pattern that is exponential or quadratic on one of these texts would not come back before pytest's timeout;
how long the others take is not looked at.
"""

from __future__ import annotations

import importlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.formats import FORMATS
from gateway.schemas import SchemaStore
from tests.examples import SCHEMAS

PARSER: Any = importlib.import_module("re._parser")
# Repeats within repeats that are linear all the same, and why.
ARGUED = {
    r"^cdevents:v0:[^:]*:[^:]*:[^:]*:([^:/]+(/+[^:/]+)*)?:[^:]+:.": "each inner repeat begins with a slash, "
    "which the repeats on both sides of it cannot hold, so a text can be cut in one way only",
}
LOOKING_AROUND = {"ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS"}
PREFIXES = (
    "",
    "dev.cdeventsx.",
    "dev.cdeventsx.a-b.c.1.1.",
    "resource-controller.",
    "cdevents:v0::::",
    "http://a",
)
UNITS = (
    "a",
    "a.",
    ".",
    ":",
    "a:",
    "/",
    "a/",
    "/a",
    "0",
    "0.",
    "-",
    "%",
    "%20",
    "@",
    "[",
    "?",
    "#",
    "\n",
    " ",
)
ENDS = ("", "!", "\n", "\0")
TIMES = 20_000


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(child)


FILES = {
    path.relative_to(SCHEMAS).as_posix(): json.loads(path.read_bytes())
    for path in sorted(SCHEMAS.rglob("*.schema.json"))
}
NODES = [node for schema in FILES.values() for node in nodes(schema)]
PATTERNS = sorted(
    {node["pattern"] for node in NODES if isinstance(node.get("pattern"), str)}
    | {
        p
        for node in NODES
        if isinstance(node.get("patternProperties"), dict)
        for p in node["patternProperties"]
    }
)


def operations(parsed: Any, repeats: int = 0) -> Iterator[tuple[str, int]]:
    """Every operation of a parsed pattern, with the number of unbounded repeats around it."""
    for operation, argument in parsed:
        name = str(operation)
        endless = name in ("MAX_REPEAT", "MIN_REPEAT") and argument[1] == PARSER.MAXREPEAT
        yield name, repeats + endless
        for part in argument if isinstance(argument, tuple | list) else ():
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, PARSER.SubPattern):
                    yield from operations(inner, repeats + endless)


def depth(pattern: str) -> int:
    return max((repeats for _, repeats in operations(PARSER.parse(pattern))), default=0)


def hostile() -> Iterator[str]:
    for prefix, unit, end in itertools.product(PREFIXES, UNITS, ENDS):
        yield prefix + unit * TIMES + end


def test_the_check_itself_sees_a_repeat_within_a_repeat() -> None:
    assert depth("^(a+)+$") == depth("(x|(?:a*b)*)") == depth("(a|b+)*") == 2
    assert depth("^a+b*[c-e]+$") == 1


def test_there_are_patterns() -> None:
    assert len(PATTERNS) >= 5
    assert set(ARGUED) <= set(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_has_no_repeat_within_a_repeat_unless_argued(pattern: str) -> None:
    assert depth(pattern) <= (2 if pattern in ARGUED else 1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_looks_neither_around_nor_back(pattern: str) -> None:
    """The compiled validator runs such patterns, and only such, by an engine that never backtracks."""
    assert LOOKING_AROUND.isdisjoint(name for name, _ in operations(PARSER.parse(pattern)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_hostile_text_is_decided_alike_by_both_validators(tmp_path: Path, pattern: str) -> None:
    schema = {"$id": "https://s.example/one.schema.json", "pattern": pattern}
    (tmp_path / "one.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    store = SchemaStore(tmp_path)
    for text in hostile():
        valid = store.is_valid("one.schema.json", text)
        if not text.endswith("\n"):  # Python's $ lets one pass; where it matters a second rule does not
            assert valid == (store.explain("one.schema.json", text) == ())


@pytest.mark.parametrize("name", FORMATS)
def test_a_hostile_text_is_decided_by_a_format(name: str) -> None:
    assert {type(FORMATS[name](text)) for text in hostile()} == {bool}


@pytest.mark.parametrize("keyword", ["uniqueItems", "multipleOf", "contains", "$dynamicRef"])
def test_no_schema_has_a_keyword_that_costs_more_than_one_look_at_each_member(keyword: str) -> None:
    assert [node for node in NODES if keyword in node] == []


def test_no_schema_refers_to_anything_outside() -> None:
    references = [node["$ref"] for node in NODES if isinstance(node.get("$ref"), str)]
    assert references
    assert [ref for ref in references if re.match(r"[a-z]+:", ref)] == []
