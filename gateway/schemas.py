"""The schema files: loaded once, deciding fast, explaining at length. The one door to both validators.

``jsonschema-rs`` (compiled) says yes; when it says no, ``jsonschema`` explains from the same file, with the
same format checks. Nothing is ever fetched: a reference that no file here answers stops the start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from gateway.errors import SettingsError
from gateway.formats import FORMATS
from gateway.model import Problem
from gateway.strict_json import escape

ENVELOPE = "envelope.schema.json"
CLOUDEVENT = "cloudevents.schema.json"
DEADLETTER = "deadletter.schema.json"
RECEIPTS = "receipts.schema.json"
SUFFIX = ".schema.json"
MAX_PROBLEMS = 100
_MAX_QUOTE = 60


def folder() -> Path:
    """Where the schema files are: inside an installed wheel, else at the top of the checkout."""
    installed = Path(__file__).parent / "schema_files"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "schemas"


class SchemaStore:
    """Every schema file below one folder, by its path there, such as ``ctoai/event.schema.json``."""

    def __init__(self, root: Path) -> None:
        """Load and compile all. Raises SettingsError naming every file that cannot be used."""
        self.texts: Mapping[str, bytes] = {
            path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob(f"*{SUFFIX}"))
        }
        faults: list[str] = [] if self.texts else [f"no schema files below {root}"]
        self._schemas = dict(_parsed(self.texts, faults))
        self._deciders: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._explainers: dict[str, Draft202012Validator] = {}
        if not faults:
            self._compile(faults)
        if faults:
            raise SettingsError(faults)

    def id(self, name: str) -> str:
        """Give the ``$id`` of a schema file."""
        return str(self._schemas[name]["$id"])

    def is_valid(self, name: str, document: Any) -> bool:
        """Decide, by the compiled validator alone."""
        return self._deciders[name].is_valid(document)

    def check(self, name: str, document: Any, pointer: str = "") -> tuple[Problem, ...]:
        """List everything wrong with a document, at most ``MAX_PROBLEMS``; empty when it is valid.

        ``pointer`` is where the document lies in the request body. Raises KeyError for an unknown name.
        """
        if self._deciders[name].is_valid(document):
            return ()
        return self.explain(name, document, pointer) or (
            Problem(pointer, "schema", "does not match the schema"),
        )

    def explain(self, name: str, document: Any, pointer: str = "") -> tuple[Problem, ...]:
        """List everything wrong, by the explaining validator alone; ``check`` is the usual way in."""
        found: dict[Problem, None] = {}
        for error in self._explainers[name].iter_errors(document):
            found.update(dict.fromkeys(_problems(error, pointer)))
            if len(found) >= MAX_PROBLEMS:
                break
        return tuple(sorted(list(found)[:MAX_PROBLEMS]))

    def _compile(self, faults: list[str]) -> None:
        resources = [(str(s["$id"]), s) for s in self._schemas.values()]
        registry: Registry[Any] = Registry().with_resources(
            (uri, Resource.from_contents(schema, default_specification=DRAFT202012))
            for uri, schema in resources
        )
        checker = FormatChecker(formats=())
        for format_name, check in FORMATS.items():
            checker.checks(format_name)(_strings_only(check))
        for name, schema in self._schemas.items():
            try:
                Draft202012Validator.check_schema(schema)
                _resolve_all(schema, registry)
            except (SchemaError, Unresolvable) as error:
                faults.append(f"schema {name}: {type(error).__name__}: {str(error)[:200]}")
        if faults:
            return
        fast_registry = jsonschema_rs.Registry(resources, draft=jsonschema_rs.Draft202012)
        for name, schema in self._schemas.items():
            self._explainers[name] = Draft202012Validator(schema, registry=registry, format_checker=checker)
            self._deciders[name] = jsonschema_rs.Draft202012Validator(
                schema, registry=fast_registry, formats=FORMATS, validate_formats=True
            )


def _parsed(texts: Mapping[str, bytes], faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, text in texts.items():
        try:
            schema = json.loads(text)
            schema["$id"]
        except (ValueError, KeyError, TypeError) as error:
            faults.append(f"schema {name}: {type(error).__name__}: {error}")
        else:
            yield name, schema


def _resolve_all(schema: dict[str, Any], registry: Registry[Any]) -> None:
    """Follow every ``$ref`` once, so that a broken one stops the start and not an event."""
    resolver = registry.resolver(base_uri=schema["$id"])
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                resolver.lookup(node["$ref"])
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _strings_only(check: Any) -> Any:
    return lambda value: not isinstance(value, str) or check(value)


def _problems(error: ValidationError, base: str) -> Iterator[Problem]:
    """Turn one library error into problems that name the very member that is wrong."""
    pointer = base + "".join(f"/{escape(step)}" for step in error.absolute_path)
    keyword, wanted = str(error.validator), cast(Any, error.validator_value)
    if "propertyNames" in error.absolute_schema_path:
        yield Problem(
            f"{pointer}/{escape(str(error.instance)[:_MAX_QUOTE])}",
            "propertyNames",
            "is no name allowed here",
        )
    elif keyword == "required":
        for name in wanted:
            if name not in cast(Any, error.instance):
                yield Problem(f"{pointer}/{escape(name)}", keyword, "is required")
    elif keyword in ("additionalProperties", "unevaluatedProperties"):
        yield from _surplus(error, pointer, keyword)
    elif keyword in ("anyOf", "oneOf") and error.context:
        yield Problem(pointer, keyword, _alternatives(error))
    else:
        yield Problem(pointer, keyword, _message(error))


def _surplus(error: ValidationError, pointer: str, keyword: str) -> Iterator[Problem]:
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    surplus = [name for name in cast(Any, error.instance) if name not in known]
    allowed = f"; allowed here: {', '.join(known)}" if known else ""
    for name in surplus:
        yield Problem(f"{pointer}/{escape(name[:_MAX_QUOTE])}", keyword, f"is not allowed here{allowed}")


def _alternatives(error: ValidationError) -> str:
    reasons = dict.fromkeys(_message(child) for child in error.context or ())
    return "fits none of the forms allowed here: " + " or ".join(list(reasons)[:5])


def _message(error: ValidationError) -> str:
    """Say what is wrong, quoting little: the libraries' messages hold the whole document."""
    instance, wanted = cast(Any, error.instance), cast(Any, error.validator_value)
    value = _quote(instance)
    match error.validator:
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
            return f"{value} is {'below' if error.validator == 'minimum' else 'above'} {wanted}"
        case "not" | None:
            return str(_comment(error) or "has a form that is not allowed")
        case _:
            return f"{value} does not satisfy {error.validator} {_quote(wanted)}"


def _comment(error: ValidationError) -> str | None:
    """A schema that forbids something says why in the ``description`` beside the ``not``."""
    if isinstance(error.schema, dict):
        return error.schema.get("description")
    return None


def _quote(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]}…"
