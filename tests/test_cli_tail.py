"""``gateway tail`` on a local log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gateway.model import Record
from gateway.publishing.local_log import LocalLog
from tests.samples import record
from tests.terminal import Run


def append(folder: Path, *records: Record) -> None:
    log = LocalLog(folder, disk_timeout=10)
    log.start()
    log.publish(records).result(10)
    log.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A local log with four records in two topics."""
    topics = ["events.incident.detected", "events.custom"] * 2
    value = b'{"n":1.10,"more":"\xc3\xa9"}'
    append(
        tmp_path / "data", *(record(topic, f"k/{n}", value, f"note {n}") for n, topic in enumerate(topics))
    )
    return tmp_path / "data"


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tail_prints_one_record_a_line_in_order(run: Run, folder: Path) -> None:
    result = run("tail", "--from-start", "--no-follow", data_dir=str(folder))
    assert [(line["topic"], line["offset"], line["key"]) for line in lines(result)] == [
        ("events.incident.detected", 0, "k/0"),
        ("events.custom", 0, "k/1"),
        ("events.incident.detected", 1, "k/2"),
        ("events.custom", 1, "k/3"),
    ]
    assert "headers" not in lines(result)[0]
    assert result.stdout.count('"value": {"n":1.10,"more":"é"}') == 4


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("events.custom", ["k/1", "k/3"]),
        ("events.incident.*", ["k/0", "k/2"]),
        ("*", ["k/0", "k/1", "k/2", "k/3"]),
        ("custom", []),
        ("*custom", ["k/1", "k/3"]),
        ("EVENTS.*", []),
        ("(", []),
    ],
)
def test_tail_prints_topics_whose_whole_name_matches(
    run: Run, folder: Path, pattern: str, keys: list[str]
) -> None:
    result = run("tail", pattern, "--from-start", "--no-follow", data_dir=str(folder))
    assert [line["key"] for line in lines(result)] == keys


def test_tail_begins_with_the_next_record_unless_told_otherwise(run: Run, folder: Path) -> None:
    assert lines(run("tail", "--no-follow", data_dir=str(folder))) == []


def test_tail_prints_headers_when_asked(run: Run, folder: Path) -> None:
    result = run("tail", "--from-start", "--no-follow", "--headers", data_dir=str(folder))
    assert lines(result)[0]["headers"] == {"ce_id": "note 0", "content-type": "application/json"}


def test_tail_of_a_log_that_is_not_there_yet_prints_nothing(run: Run, tmp_path: Path) -> None:
    assert lines(run("tail", "--from-start", "--no-follow", data_dir=str(tmp_path / "none"))) == []


def test_tail_follows_what_comes_until_it_is_stopped(folder: Path) -> None:
    command = [sys.executable, "-m", "gateway", "tail", "*.custom", "--from-start"]
    environ = os.environ | {"GATEWAY_DATA_DIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as tail:
        try:
            assert tail.stdout is not None
            assert [json.loads(tail.stdout.readline())["key"] for _ in range(2)] == ["k/1", "k/3"]
            append(folder, record("events.custom", "k/9"))
            assert json.loads(tail.stdout.readline())["key"] == "k/9"
        finally:
            tail.terminate()
