"""What the gateway does when it is told to stop, to reload, or when a part of it dies."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Broker

from tests.integration.consuming import consume
from tests.integration.processes import (
    GATEWAY,
    GatewayProcess,
    command,
    environment,
    free_port,
    serving,
    until,
    worker_pids,
)

EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "c"}'
NOWHERE = "127.0.0.1:1"  # a port that nobody listens on


@contextmanager
def load(gateway: GatewayProcess, senders: int = 4) -> Iterator[Counter[str]]:
    """Events all the time, over connections that are kept; gives the count of each answer."""
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        while not stop.is_set():
            try:
                connection.request("POST", "/events", EVENT, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                answers[str(answer.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                answers[type(error).__name__] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("servers", ["", NOWHERE], ids=["local-log", "spool"])
def test_a_reload_under_load_refuses_nobody(tmp_path: Path, servers: str) -> None:
    with serving(tmp_path, kafka_bootstrap_servers=servers) as gateway:
        with load(gateway) as answers:
            for _ in range(2):
                before, taken = worker_pids(gateway), answers["202"]
                gateway.process.send_signal(signal.SIGHUP)
                until(lambda b=before: not set(b) & set(worker_pids(gateway)), 30, "the old worker to end")
                until(lambda t=taken: answers["202"] > t + 50, 30, "events to go on")
        assert set(answers) == {"202"}


def test_a_reload_with_settings_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('topic_prefix = "first"\n')
    with serving(tmp_path, config=str(config)) as gateway:
        config.write_text('topic_prefix = "no topic!"\n')
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: "reload refused" in gateway.log.read_text(), 30, "the refusal to be told")
        answer = gateway.send("POST", "/events", EVENT)
        assert answer.json["events"][0]["topic"] == "first.incident.detected"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_answers_or_takes_nothing(tmp_path: Path, number: int) -> None:
    with serving(tmp_path, kafka_bootstrap_servers=NOWHERE) as gateway, load(gateway) as answers:
        until(lambda: answers["202"] > 50, 30, "events to be taken")
        assert gateway.stop(number) == 0
    assert not [answer for answer in answers if answer.startswith("5")]


def test_it_serves_on_when_nobody_reads_its_log(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    port = free_port()
    settings = {"bind": f"127.0.0.1:{port}", "kafka_bootstrap_servers": NOWHERE}
    process = subprocess.Popen(
        [GATEWAY, "serve"], cwd=tmp_path, env=environment(settings), stdout=writer, stderr=writer
    )
    os.close(writer)
    gateway = GatewayProcess(process, port, tmp_path / "no-log")
    try:
        until(lambda: os.read(reader, 65_536), 30, "the start")
        os.close(reader)
        until(lambda: answers(gateway), 30, "the gateway to listen")
        assert gateway.send("POST", "/events", b"nonsense").status == 400  # which is logged
        assert gateway.send("POST", "/events", EVENT).status == 202
    finally:
        gateway.stop()


@pytest.mark.kafka
def test_what_a_killed_worker_spooled_is_taken_over_and_published(kafka: Broker, tmp_path: Path) -> None:
    """Three workers, each with its own spool file; then one is killed, while Kafka cannot be reached."""
    with serving(tmp_path, kafka_bootstrap_servers=NOWHERE, workers="3", topic_prefix="workers") as gateway:
        with load(gateway) as answers:
            until(lambda: answers["202"] > 200, 30, "events to be spooled")
            os.kill(worker_pids(gateway)[0], signal.SIGKILL)
            until(lambda: len(worker_pids(gateway)) == 3, 30, "another worker to start")
        taken = answers["202"]
    assert taken > 200
    command(["topics", "--create"], tmp_path, kafka_bootstrap_servers=kafka.bootstrap, topic_prefix="workers")
    with serving(tmp_path, kafka_bootstrap_servers=kafka.bootstrap, topic_prefix="workers") as gateway:
        until(lambda: not spooled(gateway, tmp_path), 60, "all spools to be drained")
    found = consume(kafka.bootstrap, ["workers.incident.detected"])
    ids = {record.headers["ce_id"] for record in found}
    assert taken <= len(ids) <= taken + answers.total() - taken


def answers(gateway: GatewayProcess) -> bool:
    try:
        return gateway.get("/livez").status == 200
    except OSError:
        return False


def spooled(gateway: GatewayProcess, folder: Path) -> bool:
    """Whether events wait: in the worker's own view, or in files that it has not adopted yet."""
    files = list((folder / ".data").glob("spool-*.sqlite3"))
    return len(files) > 1 or "spooled" in gateway.get("/readyz").json
