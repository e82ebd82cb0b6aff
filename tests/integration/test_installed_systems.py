"""A system that another package brings: the example of docs/mappings.md, installed and served."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systems import GROUP
from tests.integration.processes import GatewayProcess, serving
from tests.pages import DOCS, blocks

PAGE = blocks(DOCS / "mappings.md")
MODULE = next(block.text for block in PAGE if block.language == "python")
PROJECT = tomllib.loads(next(block.text for block in PAGE if "entry-points" in block.text))["project"]
ALARM = {"acme": 1, "id": "a1", "over": False}


def install(folder: Path, module: str = MODULE) -> Path:
    """What pip leaves behind: the module, and beside it what importlib.metadata reads."""
    site = folder / "site"
    info = site / f"acme_gateway-{PROJECT['version']}.dist-info"
    info.mkdir(parents=True)
    ((name, points),) = PROJECT["entry-points"].items()
    lines = [f"[{name}]", *(f"{point} = {value}" for point, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: 1.0\n")
    (site / "acme_gateway.py").write_text(module)
    return site


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayProcess]:
    monkeypatch.setenv("PYTHONPATH", str(install(tmp_path)))
    with serving(tmp_path, systems="all,acme") as gateway:
        yield gateway


def test_the_page_names_the_group_of_entry_points() -> None:
    assert list(PROJECT["entry-points"]) == [GROUP]


@pytest.mark.parametrize("path", ["/events/acme", "/events"])
def test_it_takes_events(acme: GatewayProcess, path: str) -> None:
    answer = acme.send("POST", path, json.dumps(ALARM).encode())
    assert answer.status == 202
    (receipt,) = answer.json["events"]
    assert (receipt["key"], receipt["topic"]) == ("incident/a1", "events.incident.detected")


def test_its_schema_refuses_and_is_served(acme: GatewayProcess) -> None:
    answer = acme.send("POST", "/events/acme", json.dumps({"acme": 1, "id": ""}).encode())
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/id", "/over"]
    assert acme.get("/schemas/acme/alarm.schema.json").json["$id"] == "https://acme.example/alarm.schema.json"
    assert "/events/acme" in acme.get("/openapi.json").json["paths"]


def test_it_is_not_there_before_it_is_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(install(tmp_path)))
    with serving(tmp_path) as gateway:
        assert gateway.send("POST", "/events/acme", json.dumps(ALARM).encode()).status == 404


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("Acme = 7", "is no subclass"),
        (MODULE.replace('name = "acme"', 'name = "other"'), "calls itself 'other'"),
        (MODULE.replace('{"acme/alarm', '{"ctoai/alarm'), "have names that begin with acme/"),
    ],
)
def test_a_class_that_cannot_be_used_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, fault: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(install(tmp_path, module)))
    with pytest.raises(AssertionError, match="the gateway ended") as ended, serving(tmp_path, systems="acme"):
        pass
    assert "settings: the system acme of acme_gateway:Acme: " in str(ended.value)
    assert fault in str(ended.value)
