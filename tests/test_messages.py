"""What a sender reads: one sentence a problem, for every kind of rule that a schema can have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Problem
from gateway.schemas import SchemaStore


def problems(folder: Path, schema: dict[str, Any], document: Any) -> list[Problem]:
    """What a document is told by one schema."""
    text = json.dumps(schema | {"$id": "https://s.example/one.schema.json"})
    (folder / "one.schema.json").write_text(text, encoding="utf-8")
    return list(SchemaStore(folder).check("one.schema.json", document))


@pytest.mark.parametrize(
    ("schema", "document", "message"),
    [
        ({"type": "string"}, 5, "5 is not of type string"),
        ({"type": ["string", "null"]}, True, "true is not of type string or null"),
        ({"type": "string"}, {"a": 1}, "an object is not of type string"),
        ({"type": "string"}, [1], "an array is not of type string"),
        ({"type": "number"}, "é", '"é" is not of type number'),
        ({"enum": ["a", 1, None]}, "b", '"b" is not one of "a", 1, null'),
        ({"const": "1.0"}, "0.3", '"0.3" is not "1.0"'),
        ({"format": "date-time"}, "now", '"now" is not a date-time'),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minItems": 1}, [], "must not be empty"),
        ({"minLength": 3}, "ab", "must have at least 3"),
        ({"maxLength": 2}, "abc", "has 3 characters, at most 2 are allowed"),
        ({"maxItems": 1}, [1, 2], "has 2 members, at most 1 are allowed"),
        ({"minimum": 0}, -1, "-1 is below 0"),
        ({"maximum": 9}, 10, "10 is above 9"),
        ({"pattern": "^a"}, "b", '"b" does not satisfy pattern "^a"'),
        ({"not": {"type": "string"}}, "a", "has a form that is not allowed"),
        ({"not": {"type": "string"}, "description": "no text"}, "a", "no text"),
        (
            {"anyOf": [{"type": "string"}, {"const": 1}]},
            2,
            "fits none of the forms allowed here: 2 is not of type string or 2 is not 1",
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_rule_that_is_broken(tmp_path: Path, schema: Any, document: Any, message: str) -> None:
    (problem,) = problems(tmp_path, schema, document)
    assert (problem.pointer, problem.message) == ("", message)


def test_every_missing_member_is_a_problem_of_its_own(tmp_path: Path) -> None:
    found = problems(tmp_path, {"required": ["a", "b/c", "d"]}, {"d": 1})
    assert found == [Problem("/a", "required", "is required"), Problem("/b~1c", "required", "is required")]


def test_every_surplus_member_is_told_what_is_allowed_instead(tmp_path: Path) -> None:
    schema = {"properties": {"a": True, "b": True}, "additionalProperties": False}
    message = "is not allowed here; allowed here: a, b"
    assert problems(tmp_path, schema, {"a": 1, "x": 1, "y/z": 1}) == [
        Problem("/x", "additionalProperties", message),
        Problem("/y~1z", "additionalProperties", message),
    ]


def test_a_name_that_is_not_allowed_is_pointed_at(tmp_path: Path) -> None:
    found = problems(tmp_path, {"propertyNames": {"maxLength": 2}}, {"ab": 1, "abc": 1})
    assert found == [Problem("/abc", "propertyNames", "is no name allowed here")]


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"type": "number"}, "x" * 500)
    assert problem.message.endswith("… is not of type number")
    assert len(problem.message) < 100


def test_a_problem_that_two_rules_find_is_told_once(tmp_path: Path) -> None:
    schema = {"allOf": [{"required": ["a"]}, {"required": ["a"]}]}
    assert problems(tmp_path, schema, {}) == [Problem("/a", "required", "is required")]
