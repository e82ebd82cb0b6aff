"""The folder of declarations: read and checked whole at start, so that no fault waits for an event."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import SettingsError
from gateway.schemas import MAPPING, SUFFIX, SchemaStore
from gateway.sources.mapped import Mapped
from gateway.systems import DECLARED

SCHEMAS = "mappings/"  # before the names of their schema files in the store


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in the folder, by file name: declarations and their schemas.

    It is read once: a worker that is started anew must not meet a file that somebody is in the middle of
    changing.
    """

    path: Path = Path()
    files: Mapping[str, bytes] = field(default_factory=dict)

    def schema_texts(self) -> Mapping[str, bytes]:
        """Give the schema files, by their names in the store."""
        return {f"{SCHEMAS}{name}": text for name, text in self.files.items() if name.endswith(SUFFIX)}


def read(path: Path | None) -> Folder:
    """Read a folder; without one there is nothing in it. Raises SettingsError for what cannot be read."""
    found: dict[str, bytes] = {}
    faults: list[str] = []
    for file in sorted(path.iterdir()) if path else ():
        if file.name.endswith((DECLARED, SUFFIX)):
            try:
                found[file.name] = file.read_bytes()
            except OSError as error:
                faults.append(f"{file}: cannot be read: {error.strerror}")
    if faults:
        raise SettingsError(faults)
    return Folder(path or Path(), found)


def load(folder: Folder, names: Collection[str], schemas: SchemaStore) -> dict[str, Mapped]:
    """Make a source of each declaration that is named. Raises SettingsError with every fault of each."""
    found: dict[str, Mapped] = {}
    faults: list[str] = []
    for file, text in folder.files.items():
        name = file.removesuffix(DECLARED)
        if name == file or name not in names:
            continue
        try:
            declared = _parsed(text)
            faulty = list(_faults(declared, folder, schemas))
        except ValueError as error:
            faulty = [f"is not TOML: {error}"]
        if faulty:
            faults += [f"{folder.path / file}: {fault}" for fault in faulty]
        else:
            found[name] = Mapped(name, f"{SCHEMAS}{declared['schema']}", declared)
    if faults:
        raise SettingsError(faults)
    return found


def _parsed(text: bytes) -> dict[str, Any]:
    """As JSON has it, since its schema is JSON Schema: TOML's dates become texts. Raises ValueError."""
    read_as_toml = tomllib.loads(text.decode("utf-8"))
    return dict(json.loads(json.dumps(read_as_toml, default=str, allow_nan=False)))


def _faults(declared: Mapping[str, Any], folder: Folder, schemas: SchemaStore) -> Iterator[str]:
    for problem in schemas.check(MAPPING, declared):
        yield f"{problem.pointer or 'the file'}: {problem.message}"
    schema = declared.get("schema")
    if isinstance(schema, str) and schema not in folder.files:
        yield f"/schema: there is no file {schema} beside it"
    predicate = declared.get("predicate")
    values = predicate.get("values") if isinstance(predicate, dict) else None
    seen: dict[str, str] = {}
    for value in values if isinstance(values, dict) else ():
        if value.lower() in seen:
            yield f"/predicate/values: {seen[value.lower()]} and {value} differ in case alone"
        seen[value.lower()] = value
