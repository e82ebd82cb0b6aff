"""The README says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import problems
from gateway.cli import cli
from gateway.cli.replay import replay
from gateway.cli.settings import table
from gateway.errors import GatewayError
from gateway.model import Fault, Outcome
from gateway.sources.source import DELIVERY_ID_HEADERS
from gateway.systems import SYSTEMS
from gateway.web.routes import INTAKES, Intake

ROOT = Path(__file__).parent.parent
DECLARED = [path.stem for path in (ROOT / "deploy" / "mappings").glob("*.toml")]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SENDERS = (ROOT / "docs" / "senders.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_one_that_gateway_settings_prints() -> None:
    assert f"\n{table()}\n" in README


@pytest.mark.parametrize("kind", problems.types(), ids=lambda kind: kind.type)
def test_every_problem_type_is_there_with_its_status(kind: type[GatewayError]) -> None:
    assert f"\n| `{kind.type}` | {kind.status} | " in README


def test_no_problem_type_is_there_that_does_not_exist() -> None:
    named = re.findall(r"^\| `([a-z0-9-]+)` \| [45]\d\d \|", README, re.MULTILINE)
    assert named == [kind.type for kind in problems.types()]


@pytest.mark.parametrize("intake", INTAKES, ids=lambda intake: intake.endpoint)
def test_every_way_in_is_there(intake: Intake) -> None:
    pinned = intake.method == "POST" and intake.rule == f"/events/{intake.system}"
    assert f"`{intake.method} {'/events/<system>' if pinned else intake.rule}`" in README


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_is_among_the_senders(system: str) -> None:
    assert f"](senders/{system}.md) | " in SENDERS


def test_no_sender_is_listed_that_does_not_exist() -> None:
    assert set(re.findall(r"\]\(senders/([a-z0-9-]+)\.md\)", SENDERS)) == {*SYSTEMS, *DECLARED}


PATHS = """
    /livez /readyz /metrics /schemas/<path> /docs /openapi.json /asyncapi.json /topics.json /samples/<name>
"""


@pytest.mark.parametrize("path", PATHS.split())
def test_every_path_for_operators_is_there(path: str) -> None:
    assert f"`GET {path}`" in README


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_there(outcome: Outcome) -> None:
    assert f"`{outcome.value}`" in README


@pytest.mark.parametrize("fault", list(Fault))
def test_every_class_of_dead_letter_is_there(fault: Fault) -> None:
    assert f"\n| `{fault.value}` | " in README


def test_every_option_of_replay_is_there() -> None:
    options = [option for parameter in replay.params for option in parameter.opts]
    assert [option for option in options if not re.search(rf"{option}\b", README)] == []


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_is_there(command: str) -> None:
    assert re.search(rf"\| `gateway {command}[ `]", README)


@pytest.mark.parametrize("header", DELIVERY_ID_HEADERS)
def test_every_header_that_gives_an_id_is_there(header: str) -> None:
    assert f"`{header}`" in README.lower()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_examples_to_try(system: str) -> None:
    assert list((ROOT / "schemas" / system / "examples" / "valid").glob("*.json"))


def test_every_file_that_is_linked_or_sent_exists() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r"-d @(\S+)", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    named = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (page.parent / name).exists()] == []


def test_every_page_for_a_sender_is_in_their_index() -> None:
    index = (DOCS / "senders.md").read_text(encoding="utf-8")
    pages = sorted((DOCS / "senders").glob("*.md"))
    assert [page.name for page in pages if f"](senders/{page.name})" not in index] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_a_page(system: str) -> None:
    assert (DOCS / "senders" / f"{system}.md").exists()


def test_every_block_of_code_is_fenced() -> None:
    fences = [line for line in README.splitlines() if line.startswith("``")]
    assert all(fence.startswith("```") for fence in fences)
    assert len(fences) % 2 == 0
