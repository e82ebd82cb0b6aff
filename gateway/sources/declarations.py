"""The folder of declarations: read and checked whole at start, so that no fault waits for an event."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.errors import SettingsError
from gateway.schemas import MAPPING, SUFFIX, SchemaStore
from gateway.sources.mapped import Mapped
from gateway.systems import DECLARED

SCHEMAS = "mappings/"  # before the names of their schema files in the store


def schema_texts(folder: Path | None) -> Mapping[str, bytes]:
    """Give the schema files beside the declarations, by their names in the store."""
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder else ()
    return {f"{SCHEMAS}{path.name}": path.read_bytes() for path in files}


def load(folder: Path | None, names: Collection[str], schemas: SchemaStore) -> dict[str, Mapped]:
    """Make a source of each declaration that is named. Raises SettingsError with every fault of each."""
    found: dict[str, Mapped] = {}
    faults: list[str] = []
    for path in sorted(folder.glob(f"*{DECLARED}")) if folder else ():
        if path.stem in names:
            try:
                found[path.stem] = read(path, schemas)
            except SettingsError as error:
                faults += error.faults
    if faults:
        raise SettingsError(faults)
    return found


def read(path: Path, schemas: SchemaStore) -> Mapped:
    """Make the source of one declaration. Raises SettingsError naming every fault."""
    faults: list[str] = []
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError([f"{path}: cannot be read: {error}"]) from None
    faults += _faults(declared, schemas)
    if faults:
        raise SettingsError([f"{path}: {fault}" for fault in faults])
    return Mapped(path.stem, f"{SCHEMAS}{declared['schema']}", declared)


def _faults(declared: Mapping[str, Any], schemas: SchemaStore) -> Iterator[str]:
    problems = schemas.check(MAPPING, declared)
    yield from (f"{problem.pointer or 'the file'}: {problem.message}" for problem in problems)
    schema = declared.get("schema")
    if not problems and f"{SCHEMAS}{schema}" not in schemas.texts:
        yield f"/schema: there is no file {schema} beside it"
