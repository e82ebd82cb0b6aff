"""The shape of the code. That imports run one way is held by import-linter (``make lint``)."""

from __future__ import annotations

import ast
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "gateway"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))
}
LONGEST = 260

# A library -> the only modules that may import it. A new library has to find its door here.
DOORS = {
    "a2wsgi": ["web.asgi"],
    "click": ["cli.*", "server"],
    "cloudevents": ["routing"],
    "confluent_kafka": ["publishing.librdkafka", "publishing.librdkafka_clients"],
    "cryptography": ["sns_signatures"],
    "flask": ["web.*", "app", "contracts.pages", "server"],
    "gunicorn": ["server", "worker", "web.application"],
    "httptools": ["web.http_protocol"],
    "jsonpointer": ["sources.picks", "sources.mapped"],
    "jsonschema": ["schemas", "faults"],
    "jsonschema_rs": ["deciders", "faults"],
    "kafka": ["publishing.*"],
    "limits": ["rates"],
    "msgspec": [
        "strict_json",
        "model",
        "envelope",
        "pipeline",
        "traces",
        "sources.groups",
        "publishing.duplicates",
        "publishing.duplicates_file",
        "publishing.request",
        "web.answers",
        "web.door",
    ],
    "opentelemetry": ["traces"],
    "orjson": ["strict_json"],
    "prometheus_client": ["metrics", "shared_metrics", "tally"],
    "pydantic": [
        "settings",
        "sender_settings",
        "kafka_settings",
        "systems",
        "credentials_file",
        "cli.settings",
    ],
    "referencing": ["schemas"],
    "sqlite3": ["publishing.database"],
    "uvicorn": ["worker", "web.connection", "web.http_cycle", "web.http_protocol"],
    "uvicorn_worker": ["worker"],
    "werkzeug": ["web.*"],
}


def imported(path: Path) -> set[str]:
    """The packages that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | parts}


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_at_its_own_door_only(library: str) -> None:
    importers = [name for name, packages in IMPORTS.items() if library in packages]
    strangers = [n for n in importers if not any(fnmatchcase(n, door) for door in DOORS[library])]
    assert strangers == []


@pytest.mark.parametrize("library", DOORS)
def test_every_door_is_used(library: str) -> None:
    importers = [name for name, packages in IMPORTS.items() if library in packages]
    closed = [door for door in DOORS[library] if not any(fnmatchcase(name, door) for name in importers)]
    assert closed == []


def test_every_library_has_a_door() -> None:
    used = {package for packages in IMPORTS.values() for package in packages}
    assert used - set(sys.stdlib_module_names) - {"gateway"} <= set(DOORS)


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_longer_than_a_reader_likes(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST
