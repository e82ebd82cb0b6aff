"""What the gateway does when it is told to stop, to reload, or when a part of it dies."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Broker

from gateway.publishing.spool_file import read_back
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
BATCH = 1_000


@pytest.fixture(scope="module")
def batch() -> bytes:
    """A request of so many events that they are prepared in slices."""
    member = b'{"specversion": "1.0", "id": "%d", "type": "t", "source": "/s", "data": ' + EVENT + b"}"
    body = b"[%s]" % b",".join(member % number for number in range(BATCH))
    kind = b"Content-Type: application/cloudevents-batch+json"
    return b"POST /events HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


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


def test_a_batch_that_a_stop_meets_half_read_is_taken_whole(tmp_path: Path, batch: bytes) -> None:
    with serving(tmp_path, kafka_bootstrap_servers=NOWHERE) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
            connection.sendall(batch[:-1])
            until(lambda: gateway.get("/livez").status == 200, 30, "the worker to have begun with it")
            gateway.process.send_signal(signal.SIGTERM)
            connection.sendall(batch[-1:])
            assert connection.recv(65_536).startswith(b"HTTP/1.1 202 ")
        assert gateway.stop() == 0
    assert len(read_back(tmp_path / ".data")) == BATCH


def test_a_batch_whose_sender_has_gone_is_taken_whole(tmp_path: Path, batch: bytes) -> None:
    with serving(tmp_path, kafka_bootstrap_servers=NOWHERE) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
            connection.sendall(batch)
        until(lambda: gateway.get("/readyz").json.get("spooled") == BATCH, 30, "all of it to be spooled")


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


@pytest.mark.kafka
def test_a_reload_with_a_backlog_loses_nothing(kafka: Broker, tmp_path: Path) -> None:
    """The next worker takes over what the one before has spooled, while events go on."""
    config, prefix = tmp_path / "gateway.toml", "reloaded"
    command(["topics", "--create"], tmp_path, kafka_bootstrap_servers=kafka.bootstrap, topic_prefix=prefix)
    config.write_text(f'topic_prefix = "{prefix}"\nkafka_bootstrap_servers = "{NOWHERE}"\n')
    with serving(tmp_path, config=str(config)) as gateway:
        with load(gateway) as answers:
            until(lambda: answers["202"] > 200, 30, "events to be spooled")
            config.write_text(f'topic_prefix = "{prefix}"\nkafka_bootstrap_servers = "{kafka.bootstrap}"\n')
            gateway.process.send_signal(signal.SIGHUP)
            until(lambda: "connected to Kafka" in gateway.log.read_text(), 60, "the next worker")
            gateway.process.send_signal(signal.SIGHUP)  # while that one drains
            taken = answers["202"]
            until(lambda: answers["202"] > taken + 200, 30, "events to go on")
        assert set(answers) == {"202"}
    found = {record.headers["ce_id"] for record in consume(kafka.bootstrap, [f"{prefix}.incident.detected"])}
    left = {dict(row.record.headers)["ce_id"] for row in read_back(tmp_path / ".data")}
    assert len(found) > 0
    assert len(found | left) == answers["202"]


def answers(gateway: GatewayProcess) -> bool:
    try:
        return gateway.get("/livez").status == 200
    except OSError:
        return False


def spooled(gateway: GatewayProcess, folder: Path) -> bool:
    """Whether events wait: in the worker's own view, or in files that it has not adopted yet."""
    files = list((folder / ".data").glob("spool-*.sqlite3"))
    return len(files) > 1 or "spooled" in gateway.get("/readyz").json
