"""What is wrong with a document, in words: one way of telling it for the errors of both validators.

The libraries' own messages hold the whole document; these quote little of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jsonschema_rs
from jsonschema.exceptions import ValidationError

from gateway.model import Problem
from gateway.strict_json import escape

_MAX_QUOTE = 60
_SURPLUS = ("additionalProperties", "unevaluatedProperties")
_BRANCHED = (jsonschema_rs.ValidationErrorKind.AnyOf, jsonschema_rs.ValidationErrorKind.OneOfNotValid)

# Where a keyword stands, as a URI with a JSON Pointer -> the schema around it, and its value.
Lookup = Callable[[str], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule that is broken: which keyword, with which value, in which schema, by which part.

    ``alternatives`` are the faults of each branch of an ``anyOf`` or ``oneOf``; ``name`` tells that the
    instance is the name of a member.
    """

    path: Sequence[str | int]
    keyword: str | None
    wanted: Any
    schema: Any
    instance: Any
    name: bool = False
    alternatives: tuple[Fault, ...] = ()


def by_jsonschema(error: ValidationError) -> Fault:
    """Give the fault that ``jsonschema`` found."""
    return Fault(
        path=tuple(error.absolute_path),
        keyword=None if error.validator is None else str(error.validator),
        wanted=cast(Any, error.validator_value),
        schema=cast(Any, error.schema),
        instance=cast(Any, error.instance),
        name="propertyNames" in error.absolute_schema_path,
        alternatives=tuple(map(by_jsonschema, error.context or ())),
    )


def by_jsonschema_rs(error: jsonschema_rs.ValidationError, document: Any, lookup: Lookup) -> Fault:
    """Give the fault that ``jsonschema_rs`` found. Raises LookupError for what is not understood."""
    steps = error.evaluation_path
    schema, wanted = lookup(str(error.absolute_keyword_location))
    forbidden = error.kind.name == "falseSchema" and steps[-1] not in _SURPLUS
    name = error.kind.name == "propertyNames"
    branches = error.kind.context if isinstance(error.kind, _BRANCHED) else ()
    instance = _at(document, error.instance_path)
    if not name and steps[-1] not in _SURPLUS and instance != error.instance:
        raise LookupError("the path leaves out a member whose name is empty")
    return Fault(
        path=error.instance_path,
        keyword=None if forbidden else str(steps[-1]),
        wanted=wanted,
        schema=wanted if forbidden else schema,
        instance=cast(Any, error.kind).error.instance if name else instance,
        name=name,
        alternatives=tuple(
            [by_jsonschema_rs(child, document, lookup) for branch in branches for child in branch]
        ),
    )


def _at(document: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        document = document[step]
    return document


def problems(fault: Fault, base: str) -> Iterator[Problem]:
    """Name the very members that are wrong; ``base`` is the pointer of the document."""
    pointer = base + "".join([f"/{escape(step)}" for step in fault.path])
    keyword, wanted = str(fault.keyword), fault.wanted
    if fault.name:
        yield Problem(
            f"{pointer}/{escape(str(fault.instance)[:_MAX_QUOTE])}",
            "propertyNames",
            "is no name allowed here",
        )
    elif keyword == "required":
        for name in wanted:
            if name not in fault.instance:
                yield Problem(f"{pointer}/{escape(name)}", keyword, "is required")
    elif keyword in _SURPLUS:
        yield from _surplus(fault, pointer, keyword)
    elif keyword in ("anyOf", "oneOf") and fault.alternatives:
        yield Problem(pointer, keyword, _alternatives(fault))
    else:
        yield Problem(pointer, keyword, _message(fault))


def _surplus(fault: Fault, pointer: str, keyword: str) -> Iterator[Problem]:
    known = fault.schema.get("properties", {}) if isinstance(fault.schema, dict) else {}
    surplus = [name for name in fault.instance if name not in known]
    allowed = f"; allowed here: {', '.join(known)}" if known else ""
    for name in surplus:
        yield Problem(f"{pointer}/{escape(name[:_MAX_QUOTE])}", keyword, f"is not allowed here{allowed}")


def _alternatives(fault: Fault) -> str:
    reasons = dict.fromkeys(_message(child) for child in fault.alternatives)
    return "fits none of the forms allowed here: " + " or ".join(list(reasons)[:5])


def _message(fault: Fault) -> str:
    """Say what is wrong, quoting little: the libraries' messages hold the whole document."""
    instance, wanted = fault.instance, fault.wanted
    value = _quote(instance)
    match fault.keyword:
        case "type":
            kinds = wanted if isinstance(wanted, str) else " or ".join(wanted)
            return f"{value} is not of type {kinds}"
        case "enum":
            return f"{value} is not one of {', '.join(map(_quote, wanted))}"
        case "const":
            return f"{value} is not {_quote(wanted)}"
        case "format":
            return f"{value} is not a {wanted}"
        case "minLength" | "minItems" | "minProperties":
            return "must not be empty" if wanted == 1 else f"must have at least {wanted}"
        case "maxLength":
            return f"has {len(instance)} characters, at most {wanted} are allowed"
        case "maxItems" | "maxProperties":
            return f"has {len(instance)} members, at most {wanted} are allowed"
        case "minimum" | "maximum":
            return f"{value} is {'below' if fault.keyword == 'minimum' else 'above'} {wanted}"
        case "not" | None:
            return str(_comment(fault) or "has a form that is not allowed")
        case _:
            return f"{value} does not satisfy {fault.keyword} {_quote(wanted)}"


def _comment(fault: Fault) -> str | None:
    """A schema that forbids something says why in the ``description`` beside the ``not``."""
    if isinstance(fault.schema, dict):
        return fault.schema.get("description")
    return None


def _quote(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]}…"
