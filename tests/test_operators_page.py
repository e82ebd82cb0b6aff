"""Every command on the page for operators is run by a test, and what the page links to is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from gateway.cli import cli
from tests import terminal

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]

REAL = "tests/integration"

# How a command begins -> the test that runs it or its like.
RUN_BY = {
    start: f"{file}::{name}"
    for file, names in {
        f"{REAL}/test_wheel.py": {"python3.11 -m venv": "installed", "/opt/gateway/bin/pip": "installed"},
        f"{REAL}/test_deploy.py": {
            "docker build": "test_the_steps_of_the_image_make_a_gateway_with_its_extras"
        },
        f"{REAL}/test_gunicorn.py": {"gunicorn -c": "test_it_serves_what_gateway_serve_serves"},
        f"{REAL}/test_secured_kafka.py": {
            "gateway topics --create": "test_to_create_topics_takes_create_and_describe",
            "kafka-": "secured",
        },
        f"{REAL}/test_signals.py": {"kill -HUP": "test_a_reload_under_load_refuses_nobody"},
        f"{REAL}/test_replay.py": {"gateway replay": ""},
        f"{REAL}/test_traces.py": {
            "GATEWAY_TRACING=true": "test_a_consumer_finds_the_trace_in_the_headers_of_the_record"
        },
        "tests/test_replay_spool.py": {"GATEWAY_DATA_DIR=/mnt/old-disk gateway replay --spool": ""},
        "tests/test_deploy.py": {
            "kubectl kustomize": "cluster",
            "systemctl reload": "test_the_unit_of_systemd_runs_what_exists_and_waits_for_the_stop",
        },
        "tests/test_operations.py": {
            "curl http://127.0.0.1:8080/readyz": "test_a_gateway_is_ready_as_long_as_its_publisher_is"
        },
        "tests/test_dashboards.py": {"promtool": "test_promtool_finds_no_fault"},
        "tests/test_operators_page.py": {
            "gateway settings": "test_settings_and_topics_are_shown",
            "gateway topics": "test_settings_and_topics_are_shown",
        },
    }.items()
    for start, name in names.items()
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_run_by_a_test(command: str) -> None:
    found = [test for start, test in RUN_BY.items() if command.startswith(start)]
    assert found
    path, _, function = found[0].partition("::")
    assert f"def {function or 'test_'}" in (ROOT / path).read_text(encoding="utf-8")


def test_no_test_is_named_for_a_command_that_is_not_there() -> None:
    assert [start for start in RUN_BY if not any(command.startswith(start) for command in COMMANDS)] == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if re.match(r"([A-Z_]+=\S+ )*gateway ", c)])
def test_a_command_of_the_gateway_and_its_options_exist(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    found = cli.commands[words[1]]
    options = {option for parameter in found.params for option in parameter.opts}
    assert isinstance(found, click.Command)
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("arguments", [["settings", "--current"], ["topics"]], ids=" ".join)
def test_settings_and_topics_are_shown(run: terminal.Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 0


def test_every_file_that_is_named_exists() -> None:
    linked = [name for name in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE) if name]
    assert linked
    assert [name for name in linked if not (ROOT / "docs" / name).exists()] == []
    named = re.findall(r"`((?:deploy|tests|docs)/[\w./-]+)`", PAGE)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^):]*#[^)]+)\)", PAGE))))
def test_every_section_that_is_linked_exists(link: str) -> None:
    file, _, anchor = link.partition("#")
    text = (ROOT / "docs" / file).read_text(encoding="utf-8") if file else PAGE
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert anchor in slugs
