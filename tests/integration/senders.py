"""A sender of one event, and how its gateway and Kafka are watched."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from broker import Broker
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from tests.integration.consuming import consume
from tests.integration.processes import Answer, GatewayProcess, command, until

EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "c"}'
OTHER_EVENT = EVENT.replace(b"initiated", b"succeeded")
TOPIC = "events.incident.detected"
CLIENTS = ("kafka-python", "librdkafka")

_numbers = count()


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


def create_topics(broker: Broker, folder: Path, prefix: str = "events") -> None:
    servers = broker.bootstrap
    command(["topics", "--create"], folder, kafka_bootstrap_servers=servers, topic_prefix=prefix)


def new_topics(broker: Broker, folder: Path) -> dict[str, str]:
    """Create topics that are nobody else's, on a broker that others use, too; give the settings for them."""
    prefix = f"test{next(_numbers)}"
    create_topics(broker, folder, prefix)
    return {"kafka_bootstrap_servers": broker.bootstrap, "topic_prefix": prefix}


def limit_topic(broker: Broker, topic: str, max_bytes: int) -> None:
    """Let Kafka refuse larger records."""
    limit = ConfigEntry("max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[limit])
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(30)


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


def found(broker: Broker, prefix: str = "events") -> list[str]:
    topic = f"{prefix}.incident.detected"
    return [record.headers["ce_id"].decode() for record in consume(broker.bootstrap, [topic])]


@contextmanager
def hung(broker: Broker) -> Iterator[None]:
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
