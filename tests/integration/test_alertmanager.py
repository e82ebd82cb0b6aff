"""A real Alertmanager, configured from our page, posts to a real gateway: both notices have one key."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from broker import Broker

from tests.integration.consuming import consume
from tests.integration.processes import GATEWAY, GatewayProcess, command, free_port, serving, until
from tests.keys import hashed, principal, written
from tests.pages import DOCS, blocks
from tests.samples import Json

ALERTMANAGER = shutil.which("prometheus-alertmanager")
pytestmark = pytest.mark.skipif(
    ALERTMANAGER is None, reason="there is no prometheus-alertmanager; `make tools` tries to install it"
)

SECRET = "the secret of a real Alertmanager"
TOPICS = {"detected": "events.incident.detected", "resolved": "events.incident.resolved"}
START = datetime.now(UTC) - timedelta(hours=1)
ALERT: Json = {
    "labels": {"alertname": "DiskFull", "severity": "critical", "service": "mail"},
    "annotations": {"summary": "91 % used"},
    "startsAt": START.isoformat(),
    "generatorURL": "http://prom.example.test/graph",
}


def configuration(port: int) -> str:
    """The configuration that the page shows, for a gateway on a port; its waits cut short."""
    (shown,) = [block for block in blocks(DOCS / "senders" / "alertmanager.md") if block.language == "yaml"]
    config = yaml.safe_load(shown.text.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    config["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    return str(yaml.safe_dump(config))


@contextmanager
def alertmanager(folder: Path, gateway: GatewayProcess) -> Iterator[str]:
    """Run it in a folder until the end of the block, and give its address."""
    folder.mkdir()
    (folder / "gateway.token").write_text(SECRET, encoding="utf-8")
    (folder / "alertmanager.yml").write_text(configuration(gateway.port), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    assert ALERTMANAGER is not None
    arguments = [
        ALERTMANAGER,
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        f"--web.listen-address={address}",
        "--web.external-url=http://alerts.example.test",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=folder, stdout=log, stderr=log)
    try:
        until(lambda: _is_ready(address), 60, f"Alertmanager; {(folder / 'log').read_text()}")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def alert(address: str, **changes: Any) -> None:
    """Tell Alertmanager of an alert, as Prometheus does."""
    request = urllib.request.Request(
        f"http://{address}/api/v2/alerts",
        json.dumps([ALERT | changes]).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def count(gateway: GatewayProcess) -> float:
    """How many alerts the gateway has taken."""
    taken = [
        float(line.rpartition(" ")[2])
        for line in gateway.get("/metrics").body.decode().splitlines()
        if line.startswith("gateway_events_total{") and 'system="alertmanager"' in line
    ]
    return sum(taken)


def fire_and_resolve(folder: Path, gateway: GatewayProcess) -> None:
    with alertmanager(folder / "alertmanager", gateway) as address:
        alert(address)
        until(lambda: count(gateway) >= 1, 60, f"the firing alert; {gateway.log.read_text()}")
        alert(address, endsAt=datetime.now(UTC).isoformat())
        until(lambda: count(gateway) >= 2, 60, f"the resolved alert; {gateway.log.read_text()}")


def credentials(folder: Path) -> str:
    return str(written(folder, principal("alertmanager", hashed("bearer", SECRET), systems=["alertmanager"])))


def assert_one_incident(detected: Json, resolved: Json) -> None:
    assert (detected["predicate"], resolved["predicate"]) == ("detected", "resolved")
    assert detected["subject"] == resolved["subject"]
    assert detected["details"]["labels"] == ALERT["labels"]
    assert datetime.fromisoformat(detected["time"]) == START
    assert resolved["time"] > detected["time"]
    assert detected["origin"]["source"] == "http://alerts.example.test"
    assert [len(envelope["payload"]["alerts"]) for envelope in (detected, resolved)] == [1, 1]


def test_an_alert_that_fires_and_is_resolved_lies_in_the_local_log_under_one_key(tmp_path: Path) -> None:
    with serving(tmp_path, credentials_file=credentials(tmp_path), systems="alertmanager") as gateway:
        fire_and_resolve(tmp_path, gateway)
    found = {}
    for predicate, topic in TOPICS.items():
        lines = command(["tail", topic, "--from-start", "--no-follow"], tmp_path).splitlines()
        found[predicate] = json.loads(lines[0])
    assert found["detected"]["key"] == found["resolved"]["key"]
    assert_one_incident(found["detected"]["value"], found["resolved"]["value"])


@pytest.mark.kafka
def test_an_alert_that_fires_and_is_resolved_lies_in_kafka_under_one_key(
    kafka: Broker, tmp_path: Path
) -> None:
    settings = {
        "kafka_bootstrap_servers": kafka.bootstrap,
        "topic_prefix": "alerts",
        "systems": "alertmanager",
    }
    command(["topics", "--create"], tmp_path, **settings)
    with serving(tmp_path, GATEWAY, **settings, credentials_file=credentials(tmp_path)) as gateway:
        gateway.wait_until_ready()
        fire_and_resolve(tmp_path, gateway)
        until(lambda: gateway.get("/readyz").json.get("spooled", 0) == 0, 60, "the spool to be empty")
    topics = {predicate: topic.replace("events", "alerts", 1) for predicate, topic in TOPICS.items()}
    found = {record.topic: record for record in reversed(consume(kafka.bootstrap, topics.values()))}
    detected, resolved = found[topics["detected"]], found[topics["resolved"]]
    assert detected.key == resolved.key
    assert_one_incident(json.loads(detected.value), json.loads(resolved.value))
