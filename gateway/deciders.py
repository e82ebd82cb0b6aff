"""The compiled validators: one that is quick, and one that is exact for what the quick one does not take.

The quick one is the exact one's schema with every ``format`` as a regular expression that only strings of the
format match, so that no document calls back into Python; and the names of members are looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from gateway.errors import SettingsError
from gateway.formats import FORMATS, PATTERNS

_VALUES = frozenset({"const", "enum", "default", "examples"})  # whose content is no schema
# Below these a stricter schema can take more documents, not fewer.
_TURNED = frozenset({"not", "if", "oneOf", "contains", "unevaluatedItems", "unevaluatedProperties"})
_MOST_NAMES = 1_000
_LONGEST_NAME = 64

Schemas = Mapping[str, dict[str, Any]]


def _is_regex(text: str) -> bool:
    """Whether both libraries can read it: one decides by it, the other explains."""
    try:
        re.compile(text)
        jsonschema_rs.Draft202012Validator({"pattern": text})
    except (re.error, ValueError):
        return False
    return True


_META = jsonschema_rs.Draft202012Validator(
    {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    formats={"regex": _is_regex},
    validate_formats=True,
)


def schema_fault(schema: Any) -> str | None:
    """Say why something is no JSON Schema that can be compiled; the reference takes many times as long."""
    return next((error.message for error in _META.iter_errors(schema)), None)


class Decider:
    """Decides by one schema file; safe to call from several threads."""

    def __init__(
        self,
        exact: jsonschema_rs.Draft202012Validator,
        quick: jsonschema_rs.Draft202012Validator,
        names: jsonschema_rs.Draft202012Validator | None,
    ) -> None:
        """``names`` is the rule for the names of members that the quick one leaves out."""
        self._exact_says = exact.is_valid
        self._quick_says = quick.is_valid
        self._name_is_valid = names.is_valid if names else None
        self._good_names: set[str] = set()
        self.errors = exact.iter_errors
        self.says = self.is_valid if names else self._quick_says
        """As ``is_valid``, but a no may be wrong, and there is no Python function in between if it can be."""

    def is_valid(self, document: Any) -> bool:
        """Decide."""
        quick = self._quick_says(document) and (self._name_is_valid is None or self._names_are_good(document))
        return quick or self._exact_says(document)

    def _names_are_good(self, document: Any) -> bool:
        if not isinstance(document, dict):
            return False
        if document.keys() <= self._good_names:
            return True
        assert self._name_is_valid is not None
        if not all(map(self._name_is_valid, document)):
            return False
        if len(self._good_names) < _MOST_NAMES:
            self._good_names.update(name for name in document if len(name) <= _LONGEST_NAME)
        return True


class Places:
    """Finds what stands at a location that an error of ``jsonschema_rs`` names."""

    def __init__(self, schemas: Iterable[dict[str, Any]]) -> None:
        self._schemas = {schema["$id"]: schema for schema in schemas}
        self._found: dict[str, tuple[Any, Any]] = {}

    def lookup(self, location: str) -> tuple[Any, Any]:
        """Give the schema around a keyword, and the keyword's value. Raises LookupError."""
        if location not in self._found:
            uri, _, pointer = location.partition("#")
            around: Any = None
            value: Any = self._schemas[uri]
            for step in unquote(pointer).split("/")[1:]:
                name = step.replace("~1", "/").replace("~0", "~")
                around, value = value, value[int(name) if isinstance(value, list) else name]
            self._found[location] = around, value
        return self._found[location]


def compile_all(schemas: Schemas, only: Collection[str] | None = None) -> dict[str, Decider]:
    """Compile every schema file, or ``only`` some; their references must all be answered among them.

    Raises SettingsError naming each that the compiled validator does not take.
    """
    quickened = {name: _quickened(schema) for name, schema in schemas.items()}
    if any(_turns(schema) for schema in schemas.values()):
        quickened = dict(schemas)
    made: dict[str, Decider] = {}
    exact, quick = (_registry(all) for all in (schemas, quickened))
    faults: list[str] = []
    for name in schemas if only is None else only:
        schema = schemas[name]
        names = schema.get("propertyNames")
        names = names if isinstance(names, dict) else None
        rest = {m: value for m, value in quickened[name].items() if m != "propertyNames" or names is None}
        try:
            made[name] = Decider(
                _validator(schema, exact),
                _validator(rest, quick),
                _validator({"$id": f"{schema['$id']}?names"} | names, exact) if names is not None else None,
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            faults.append(f"schema {name}: {type(error).__name__}: {str(error)[:200]}")
    if faults:
        raise SettingsError(faults)
    return made


def _registry(schemas: Schemas) -> jsonschema_rs.Registry:
    resources = [(str(schema["$id"]), schema) for schema in schemas.values()]
    return jsonschema_rs.Registry(resources, draft=jsonschema_rs.Draft202012)


def _validator(schema: Any, registry: jsonschema_rs.Registry) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema, registry=registry, formats=FORMATS, validate_formats=True
    )


def _quickened(node: Any) -> Any:
    """Put a pattern in place of every format; inside ``allOf`` where one stands beside it already."""
    if isinstance(node, list):
        return [_quickened(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {name: value if name in _VALUES else _quickened(value) for name, value in node.items()}
    if isinstance(format := node.get("format"), str) and format in PATTERNS:
        del copy["format"]
        text = {"pattern": PATTERNS[format]}
        copy |= {"allOf": [*copy.get("allOf", ()), text]} if "pattern" in copy else text
    return copy


def _turns(schema: dict[str, Any]) -> bool:
    """Whether a format may decide the other way round: none of our schemas has one where it would."""
    return any("format" in node or "$ref" in node for node in _nodes(schema, turned=False))


def _nodes(node: Any, *, turned: bool) -> Iterator[dict[str, Any]]:
    """Give every object below a keyword that turns what is below it."""
    if isinstance(node, dict):
        if turned:
            yield node
        for name, value in node.items():
            yield from _nodes(value, turned=turned or name in _TURNED)
    elif isinstance(node, list):
        for item in node:
            yield from _nodes(item, turned=turned)
