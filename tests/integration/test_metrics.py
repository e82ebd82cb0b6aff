"""/metrics of a gateway with several workers, as Prometheus scrapes it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.integration.processes import GatewayProcess, serving, until, worker_pids
from tests.test_metrics import EVENTS, read

EVENT = b'{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}'
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def shown(gateway: GatewayProcess) -> dict[str, float]:
    return read(gateway.get("/metrics").body.decode())


def send(gateway: GatewayProcess, events: int) -> None:
    assert {gateway.send("POST", "/events", EVENT).status for _ in range(events)} == {202}


def test_any_worker_tells_of_all_and_a_killed_one_is_not_forgotten(tmp_path: Path, temporary: Path) -> None:
    with serving(tmp_path, workers="3") as gateway:
        send(gateway, 30)
        assert {shown(gateway)[EVENTS] for _ in range(10)} == {30}
        killed = worker_pids(gateway)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in worker_pids(gateway), 30, "the worker to be reaped")
        until(lambda: len(worker_pids(gateway)) == 3, 30, "another worker")
        until(lambda: not list(temporary.rglob(f"*_{killed}.db")), 30, "its files to be cleaned")
        assert {shown(gateway)[EVENTS] for _ in range(10)} == {30}
        assert gateway.stop() == 0
    assert list(temporary.glob("gateway-metrics-*")) == [], "nothing is left behind"


def test_the_gauges_of_all_workers_are_one(tmp_path: Path, temporary: Path) -> None:
    with serving(tmp_path, workers="2", kafka_bootstrap_servers=NOWHERE) as gateway:
        send(gateway, 20)
        until(lambda: shown(gateway).get("gateway_spool_records") == 20, 30, "all spooled events to be shown")
        gauges = shown(gateway)
        assert gauges["gateway_kafka_up"] == 0
        assert gauges["gateway_spool_max_bytes"] == 2 * 1_073_741_824
        assert not [name for name in gauges if "pid=" in name]


def test_one_worker_writes_no_files(tmp_path: Path, temporary: Path) -> None:
    with serving(tmp_path) as gateway:
        send(gateway, 1)
        assert list(temporary.glob("gateway-metrics-*")) == []


def test_more_workers_from_the_next_reload_are_told_of_together(tmp_path: Path, temporary: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("workers = 1\n")
    with serving(tmp_path, config=str(config)) as gateway:
        (old,) = worker_pids(gateway)
        config.write_text("workers = 2\n")
        gateway.process.send_signal(signal.SIGHUP)
        until(
            lambda: len(pids := worker_pids(gateway)) == 2 and old not in pids, 60, "two workers in its place"
        )
        send(gateway, 20)
        assert {shown(gateway)[EVENTS] for _ in range(6)} == {20}


def test_a_scrape_is_whole_text(tmp_path: Path, temporary: Path) -> None:
    with serving(tmp_path, workers="2") as gateway:
        send(gateway, 1)
        text = gateway.get("/metrics").body.decode()
        assert not [
            line for line in text.splitlines() if not re.match(r"# (HELP|TYPE) \w+ .|\w+(\{.*\})? \S+$", line)
        ]
