"""The command line, as someone at a terminal sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from gateway import cli
from gateway.settings import Settings, variable
from gateway.systems import SYSTEMS
from tests.examples import SCHEMAS
from tests.samples import bound, cloudevent, deployed, detected, incident, without
from tests.terminal import Run


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the program itself, which is what turns errors into messages."""
    monkeypatch.setattr(sys, "argv", ["gateway", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


# -- check --------------------------------------------------------------------------------------------------


def test_check_is_content_with_a_good_file(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, "good.json", deployed())
    result = run("check", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}: ok -> events.service.deployed\n")


def test_check_names_every_problem_of_every_file(run: Run, tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.json", without(deployed(event_action="wobbled"), "team_id"))
    good = write(tmp_path, "good.json", incident())
    worse = write(tmp_path, "worse.json", b"{")
    result = run("check", bad, good, worse)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{bad}: 422 schema-violation: ")
    assert lines[1].startswith("  /event_action: ") and lines[1].endswith("[enum]")
    assert lines[2] == "  /team_id: is required [required]"
    assert lines[3] == f"{good}: ok -> events.incident.detected"
    assert lines[4].startswith(f"{worse}: 400 malformed-json: ")


@pytest.mark.parametrize(
    ("content", "topics"),
    [
        (cloudevent(), "events.service.deployed"),
        (bound(detected()), "events.incident.detected"),
        ([cloudevent(), bound(detected())], "events.service.deployed, events.incident.detected"),
        ([], "no events"),
    ],
    ids=["structured", "cdevent", "batch", "empty batch"],
)
def test_check_guesses_the_content_mode(run: Run, tmp_path: Path, content: Any, topics: str) -> None:
    result = run("check", write(tmp_path, "event.json", content))
    assert (result.exit_code, result.stdout.partition(" -> ")[2]) == (0, f"{topics}\n")


def test_check_takes_headers_system_method_and_id(run: Run, tmp_path: Path) -> None:
    update = write(tmp_path, "update.json", without(incident(), "incidentId"))
    assert run("check", update).exit_code == 1
    assert run("check", update, "--system", "incidents", "--update", "--id", "7").exit_code == 0
    event = write(tmp_path, "event.json", deployed())
    assert run("check", event, "-H", "ce-id: 1").exit_code == 1
    assert run("check", event, "--header", "Content-Type: text/plain").exit_code == 1
    assert run("check", event, "--system", "ibm").exit_code == 1


def test_check_reads_the_examples_of_this_repository(run: Run) -> None:
    files = sorted(SCHEMAS.glob("ctoai/examples/valid/*.json"))
    assert files
    assert run("check", *files).exit_code == 0


@pytest.mark.parametrize("arguments", [["check"], ["check", "nowhere.json"], ["check", "."], ["nonsense"]])
def test_a_command_that_makes_no_sense_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


# -- explain ------------------------------------------------------------------------------------------------


def test_explain_tells_the_story_of_a_good_file(run: Run, tmp_path: Path) -> None:
    result = run("explain", write(tmp_path, "event.json", bound(detected())))
    assert result.exit_code == 0
    for step in (
        "read as        a CloudEvent",
        "recognised as  cdevents (CDEvents incidents)",
        "valid against  cdevents/dev.cdevents.incident.detected.0.3.0.schema.json",
        '"predicate": "detected"',
        "topic          events.incident.detected",
        "key            incident/checkout-4417",
        "header         ce_id: e-1",
    ):
        assert step in result.stdout


def test_explain_tells_of_every_event_of_a_group(run: Run) -> None:
    result = run("explain", SCHEMAS / "alertmanager/examples/valid/firing-and-resolved.json")
    assert result.exit_code == 0
    found = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("topic ")]
    assert found == ["events.incident.detected", "events.incident.resolved"]


def test_explain_tells_what_is_no_event(run: Run) -> None:
    file = SCHEMAS / "grafana/examples/valid/test-button.json"
    assert "\nno event       test: " in run("explain", file, grafana_drop_tests="true").stdout
    assert "ok -> no events" in run("check", file, grafana_drop_tests="true").stdout


def test_explain_says_when_it_is_no_cloudevent(run: Run, tmp_path: Path) -> None:
    assert "read as        plain JSON" in run("explain", write(tmp_path, "event.json", deployed())).stdout


def test_explain_takes_an_update_with_its_id(run: Run, tmp_path: Path) -> None:
    update = write(tmp_path, "update.json", without(incident(), "incidentId"))
    result = run("explain", update, "--system", "incidents", "--update", "--id", "48213")
    assert result.exit_code == 0
    assert "key            incident/48213" in result.stdout


def test_explain_tells_why_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    result = run(
        "explain", write(tmp_path, "event.json", without(deployed(event_action="wobbled"), "team_id"))
    )
    assert result.exit_code == 1
    assert "recognised as  ctoai" in result.stdout
    assert "refused        422 schema-violation" in result.stdout
    assert "/event_action" in result.stdout
    assert "/team_id" in result.stdout
    assert "topic" not in result.stdout


def test_explain_tells_of_every_member_of_a_batch(run: Run, tmp_path: Path) -> None:
    batch = [cloudevent(), 7, cloudevent(deployed(event_action="wobbled"))]
    result = run("explain", write(tmp_path, "batch.json", batch))
    assert result.exit_code == 1
    assert "topic          events.service.deployed" in result.stdout
    assert "/1: " in result.stdout
    assert "/2/data/event_action: " in result.stdout


def test_explain_stops_at_a_file_that_is_no_json(run: Run, tmp_path: Path) -> None:
    result = run("explain", write(tmp_path, "event.json", b"\xff"))
    assert (result.exit_code, result.stdout.split()[:3]) == (1, ["refused", "400", "invalid-encoding:"])


# -- topics and settings ------------------------------------------------------------------------------------


def test_topics_prints_every_declared_topic_one_a_line(run: Run) -> None:
    result = run("topics", systems="incidents", topic_prefix="acme")
    assert result.exit_code == 0
    assert result.stdout == ("acme.custom\nacme.deadletter\nacme.incident.detected\nacme.incident.resolved\n")


def test_creating_topics_without_kafka_explains_itself(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, "topics", "--create") == 2
    assert "GATEWAY_KAFKA_BOOTSTRAP_SERVERS" in capsys.readouterr().err


def test_settings_prints_one_row_a_setting(run: Run) -> None:
    rows = run("settings").stdout.splitlines()
    assert [row.split("`")[1] for row in rows[2:]] == [variable(name) for name in Settings.model_fields]


def test_settings_prints_the_values_in_force_and_masks_secrets(run: Run) -> None:
    result = run(
        "settings",
        "--current",
        topic_prefix="acme",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="user",
        kafka_sasl_password="s3cret",
    )
    lines = result.stdout.splitlines()
    assert len(lines) == len(Settings.model_fields)
    assert "GATEWAY_TOPIC_PREFIX=acme" in lines
    assert f"GATEWAY_SYSTEMS={','.join(SYSTEMS)}" in lines
    assert "GATEWAY_KAFKA_SASL_PASSWORD=********" in lines
    assert "s3cret" not in result.output


def test_what_settings_prints_can_be_read_again(run: Run) -> None:
    printed = dict(line.split("=", 1) for line in run("settings", "--current").stdout.splitlines())
    names = {variable(name): name for name in Settings.model_fields}
    again = run("settings", "--current", **{names[name]: value for name, value in printed.items()})
    assert dict(line.split("=", 1) for line in again.stdout.splitlines()) == printed


@pytest.mark.parametrize("command", ["serve", "check", "explain", "topics", "tail", "settings"])
def test_settings_that_cannot_be_used_are_exit_code_2_and_all_told(
    run: Run,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GATEWAY_WORKERS", "0")
    monkeypatch.setenv("GATEWAY_BIND", "nowhere")
    file = [str(write(tmp_path, "event.json", deployed()))] if command in ("check", "explain") else []
    assert main(monkeypatch, command, *file, *(["--current"] if command == "settings" else [])) == 2
    told = capsys.readouterr().err
    assert "settings: GATEWAY_WORKERS: " in told
    assert "settings: GATEWAY_BIND: " in told


# -- the program --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_module_runs_as_a_program_and_lists_its_commands(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", option], capture_output=True, text=True, timeout=60, check=True
    )
    listed = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed >= {"serve", "check", "explain", "tail", "topics", "settings"}


@pytest.mark.parametrize("command", cli.cli.commands)
def test_every_command_has_help(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 3


def test_the_version_is_told(run: Run) -> None:
    assert metadata.version("cloudevents-gateway") in run("--version").stdout
