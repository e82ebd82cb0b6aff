"""The schema files: loaded once, deciding fast, explaining at length. The door to both validators.

``jsonschema-rs`` (compiled) says yes, and when it says no also where. ``jsonschema`` is the reference, with
the same files and the same format checks: it takes many times as long, so it is asked once for every rule
that is found broken, and what it does not find broken is counted. Nothing is ever fetched: a reference that
no file here answers stops the start.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from gateway import deciders, faults
from gateway.errors import SettingsError
from gateway.formats import FORMATS, is_uri
from gateway.model import Problem

logger = logging.getLogger(__name__)

ENVELOPE = "envelope.schema.json"
CLOUDEVENT = "cloudevents.schema.json"
DEADLETTER = "deadletter.schema.json"
MAPPING = "mapping.schema.json"
RECEIPTS = "receipts.schema.json"
SUFFIX = ".schema.json"
MAX_PROBLEMS = 100


def folder() -> Path:
    """Where the schema files are: inside an installed wheel, else at the top of the checkout."""
    installed = Path(__file__).parent / "schema_files"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "schemas"


class SchemaStore:
    """Every schema file below one folder, by its path there, such as ``ctoai/event.schema.json``."""

    def __init__(
        self,
        root: Path,
        disagreed: Callable[[], None] = lambda: None,
        more: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Load and compile all. Raises SettingsError naming every file that cannot be used.

        ``disagreed`` is called for every document that the reference does not find at fault. ``more`` are
        schemas from elsewhere, by the names they are to have.
        """
        files = sorted(root.rglob(f"*{SUFFIX}"))
        found = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
        self.texts: Mapping[str, bytes] = {**found, **more}
        self._disagreed = disagreed
        wrong: list[str] = [] if self.texts else [f"no schema files below {root}"]
        self._schemas = dict(_parsed(self.texts, wrong))
        self._explainers: dict[str, Draft202012Validator] = {}
        if not wrong:
            self._compile(wrong)
        if wrong:
            raise SettingsError(wrong)
        own = {name: schema for name, schema in self._schemas.items() if name not in more}
        self._deciders = deciders.compile_all(own)
        if more:  # apart, so that a rule of theirs that turns formats around slows none of ours
            self._deciders |= deciders.compile_all(self._schemas, only=more.keys())
        self.ids: Mapping[str, str] = {name: str(schema["$id"]) for name, schema in self._schemas.items()}
        """The ``$id`` of every schema file."""
        self.deciders: Mapping[str, Callable[[Any], bool]] = {
            name: decider.says for name, decider in self._deciders.items()
        }
        """Says yes to what is valid to each schema file, almost always; what it says no to is in doubt."""
        self._lookup = deciders.Places(self._schemas.values()).lookup
        self._confirmed: set[tuple[str, str]] = set()  # rules that both found broken; there are finitely many

    def is_valid(self, name: str, document: Any) -> bool:
        """Decide, by the compiled validator alone."""
        return self._deciders[name].is_valid(document)

    def check(self, name: str, document: Any, pointer: str = "") -> tuple[Problem, ...]:
        """List everything wrong with a document, at most ``MAX_PROBLEMS``; empty when it is valid.

        ``pointer`` is where the document lies in the request body. Raises KeyError for an unknown name.
        """
        if self._deciders[name].is_valid(document):
            return ()
        found, rules = self.find(name, document, pointer)
        if found and rules <= self._confirmed:
            return found
        if explained := self.explain(name, document, pointer):
            self._confirmed |= rules
            return explained
        self._disagreed()
        logger.error("the validators disagree", extra={"schema": name, "rules": sorted(rules)})
        return found or (Problem(pointer, "schema", "does not match the schema"),)

    def find(
        self, name: str, document: Any, pointer: str = ""
    ) -> tuple[tuple[Problem, ...], set[tuple[str, str]]]:
        """List everything wrong, and the broken rules, by the compiled validator; nothing when in doubt."""
        told: dict[Problem, None] = {}
        rules: set[tuple[str, str]] = set()
        seen: set[tuple[str | int, ...]] = set()
        try:
            for error in self._deciders[name].errors(document):
                rule = str(error.absolute_keyword_location)
                rules.add((name, rule))
                place = (rule, *error.instance_path)
                if place in seen and not rule.endswith("/propertyNames"):
                    continue  # another member that is missing or surplus: the first has told of all
                seen.add(place)
                fault = faults.by_jsonschema_rs(error, document, self._lookup)
                told.update(dict.fromkeys(faults.problems(fault, pointer)))
                if len(told) >= MAX_PROBLEMS:
                    break
        except LookupError:
            return (), rules
        return _sorted(told), rules

    def explain(self, name: str, document: Any, pointer: str = "") -> tuple[Problem, ...]:
        """List everything wrong, by the reference alone; ``check`` is the usual way in."""
        told: dict[Problem, None] = {}
        for error in self._explainers[name].iter_errors(document):
            told.update(dict.fromkeys(faults.problems(faults.by_jsonschema(error), pointer)))
            if len(told) >= MAX_PROBLEMS:
                break
        return _sorted(told)

    def _compile(self, wrong: list[str]) -> None:
        registry: Registry[Any] = Registry().with_resources(
            (str(schema["$id"]), Resource.from_contents(schema, default_specification=DRAFT202012))
            for schema in self._schemas.values()
        )
        checker = FormatChecker(formats=())
        for format_name, check in FORMATS.items():
            checker.checks(format_name)(_strings_only(check))
        for name, schema in self._schemas.items():
            try:
                if fault := deciders.schema_fault(schema):
                    Draft202012Validator.check_schema(schema)  # which says it better
                    raise SchemaError(fault)
                _resolve_all(schema, registry)
            except SchemaError as error:
                where = "".join(f"/{step}" for step in error.absolute_path) or "the file"
                wrong.append(f"schema {name}: SchemaError: {where}: {error.message[:200]}")
            except (Unresolvable, re.error, RecursionError) as error:
                wrong.append(f"schema {name}: {type(error).__name__}: {str(error)[:200]}")
            self._explainers[name] = Draft202012Validator(schema, registry=registry, format_checker=checker)


def _sorted(told: Mapping[Problem, None]) -> tuple[Problem, ...]:
    return tuple(sorted(list(told)[:MAX_PROBLEMS]))


def _parsed(texts: Mapping[str, bytes], wrong: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    taken: dict[str, str] = {}
    for name, text in texts.items():
        try:
            schema = json.loads(text)
            id = schema["$id"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            wrong.append(f"schema {name}: {type(error).__name__}: {error}")
            continue
        if not isinstance(id, str) or not is_uri(id):
            wrong.append(f"schema {name}: its $id is no absolute URI")
        elif id in taken:
            wrong.append(f"schema {name}: has the $id of {taken[id]}")
        else:
            taken[id] = name
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
            if isinstance(node.get("pattern"), str):
                re.compile(node["pattern"])
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _strings_only(check: Any) -> Any:
    return lambda value: not isinstance(value, str) or check(value)
