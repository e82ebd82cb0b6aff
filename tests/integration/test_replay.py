"""Refused by a real gateway, kept on a real Kafka, mended, and published from there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it has no __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.consumer_schemas import assert_is_dead_letter, assert_is_envelope
from tests.integration.consuming import Consumed, consume
from tests.integration.processes import GATEWAY, command, environment, serving, until

pytestmark = pytest.mark.kafka

EVENT = {"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}


@pytest.fixture
def chosen(kafka: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings with topics of the test's own."""
    prefix = f"replay-{abs(hash(request.node.name))}"
    settings = {"kafka_bootstrap_servers": kafka.bootstrap, "topic_prefix": prefix}
    command(["topics", "--create"], tmp_path, **settings)
    return settings


def read(chosen: dict[str, str], topic: str) -> list[Consumed]:
    return consume(chosen["kafka_bootstrap_servers"], [f"{chosen['topic_prefix']}.{topic}"])


def letters(chosen: dict[str, str]) -> list[dict[str, Any]]:
    found = read(chosen, "deadletter")
    for record in found:
        assert_is_dead_letter(record.value)
    return [json.loads(record.value) for record in found]


def replay(folder: Path, chosen: dict[str, str], *options: str) -> str:
    return command(["replay", *options], folder, **chosen).splitlines()[-1]


def test_what_was_refused_is_published_once_after_the_gateway_is_mended(
    tmp_path: Path, chosen: dict[str, str]
) -> None:
    with serving(tmp_path, GATEWAY, **chosen, systems="tracker,incidents") as gateway:
        gateway.wait_until_ready()
        answer = gateway.send("POST", "/events", json.dumps(EVENT).encode())
        assert (answer.status, answer.json["type"]) == (422, "unrecognised")
        assert gateway.send("POST", "/events", b"{").status == 400
        until(lambda: len(letters(chosen)) == 2, 30, "the dead letters")
    letter = next(found for found in letters(chosen) if found["class"] == "mapping")
    assert letter["requestId"] == answer.headers["X-Request-Id"]

    expected = "read 2, matched 1, published 1, refused again 0, already replayed 0"
    assert replay(tmp_path, chosen, "--class", "mapping") == expected
    (record,) = read(chosen, "service.deployed")
    assert_is_envelope(record.value)
    envelope = json.loads(record.value)
    assert (envelope["receivedTime"], envelope["payload"]) == (letter["receivedTime"], EVENT)
    assert record.headers["ce_id"].decode() == letter["requestId"]

    again = "read 2, matched 1, published 0, refused again 0, already replayed 1"
    assert replay(tmp_path, chosen, "--class", "mapping") == again
    assert len(read(chosen, "service.deployed")) == 1
    assert len(letters(chosen)) == 2


def test_a_refused_event_in_quarantine_lies_where_the_answer_says(
    tmp_path: Path, chosen: dict[str, str]
) -> None:
    with serving(tmp_path, GATEWAY, **chosen, quarantine_systems="ctoai", ack="broker") as gateway:
        gateway.wait_until_ready()
        answer = gateway.send("POST", "/events/ctoai", b'{"event_name": "x"}')
    assert answer.status == 202
    place = answer.json["deadLetter"]
    (record,) = read(chosen, "deadletter")
    assert (place["topic"], place["partition"], place["offset"]) == (
        record.topic,
        record.partition,
        record.offset,
    )
    assert record.headers["ce_id"].decode() == place["requestId"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(("ack", "status", "kept"), [("broker", 413, "request"), ("spool", 202, "record")])
def test_what_was_too_large_for_its_topic_is_published_once_the_topic_takes_it(
    tmp_path: Path, chosen: dict[str, str], ack: str, status: int, kept: str
) -> None:
    limit(chosen, "custom", 2_000)
    event = json.dumps(EVENT | {"event_name": "mine", "note": "x" * 5_000}).encode()
    with serving(tmp_path, GATEWAY, **chosen, ack=ack) as gateway:
        gateway.wait_until_ready()
        assert gateway.send("POST", "/events", event).status == status
        until(lambda: len(letters(chosen)) == 1, 30, "the dead letter")
    (letter,) = letters(chosen)
    assert (letter["class"], letter["system"], letter["problem"]["type"]) == ("broker", "ctoai", "too-large")
    assert kept in letter
    limit(chosen, "custom", 1_000_000)
    assert "published 1" in replay(tmp_path, chosen, "--class", "broker")
    (record,) = read(chosen, "custom")
    envelope = json.loads(record.value)
    assert (envelope["payload"], envelope["receivedTime"]) == (json.loads(event), letter["receivedTime"])


def limit(chosen: dict[str, str], topic: str, size: int) -> None:
    """Set the largest record that a topic takes."""
    admin = AdminClient({"bootstrap.servers": chosen["kafka_bootstrap_servers"]})
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    name = f"{chosen['topic_prefix']}.{topic}"
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


def test_while_kafka_cannot_be_reached_one_line_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [GATEWAY, "replay"],
        env=environment({"data_dir": str(tmp_path), "kafka_bootstrap_servers": "127.0.0.1:1"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "127.0.0.1:1" in line
