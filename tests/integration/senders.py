"""A sender of one event, and how its gateway and Kafka are watched."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker import Broker

from tests.integration.consuming import consume
from tests.integration.processes import Answer, GatewayProcess, command, until

EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "c"}'
OTHER_EVENT = EVENT.replace(b"initiated", b"succeeded")
TOPIC = "events.incident.detected"
CLIENTS = ("kafka-python", "librdkafka")


def post(gateway: GatewayProcess) -> Answer:
    return gateway.send("POST", "/events", EVENT)


def post_until_published(gateway: GatewayProcess) -> list[Answer]:
    """Every answer, of which the last is an acknowledgement by Kafka; a slow machine may need several."""
    answers: list[Answer] = []

    def published() -> bool:
        answers.append(post(gateway))
        return outcome(answers[-1]) == "published"

    until(published, 60, "Kafka to acknowledge")
    return answers


def create_topics(broker: Broker, folder: Path) -> None:
    command(["topics", "--create"], folder, kafka_bootstrap_servers=broker.bootstrap)


def outcome(answer: Answer) -> str:
    """How an event was taken; it has to be."""
    assert answer.status == 202, answer.body
    return str(answer.json["events"][0]["outcome"])


def refused(answer: Answer) -> bool:
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    return int(answer.headers["Retry-After"]) > 0


def connected(gateway: GatewayProcess) -> bool:
    return bool(gateway.get("/readyz").json["status"] == "Kafka")


def wait_until_connected(gateway: GatewayProcess) -> None:
    until(lambda: connected(gateway), 60, "the gateway to reach Kafka")


def wait_until_drained(gateway: GatewayProcess) -> None:
    until(lambda: "spooled" not in gateway.get("/readyz").json, 60, "the spool to be drained")


def ids(*answers: Answer) -> list[str]:
    return [answer.json["events"][0]["id"] for answer in answers]


def found(broker: Broker) -> list[str]:
    return [record.headers["ce_id"].decode() for record in consume(broker.bootstrap, [TOPIC])]


@contextmanager
def hung(broker: Broker) -> Iterator[None]:
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
