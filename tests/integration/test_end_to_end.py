"""Over real HTTP into a real gunicorn, out of a real Apache Kafka through an independent consumer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from broker import Broker

from gateway import app, settings
from gateway.publishing import kafka_topics
from gateway.schemas import ENVELOPE, SchemaStore, folder
from tests.consumer_schemas import assert_is_dead_letter
from tests.examples import MAPPINGS, REQUEST_ID, Example, envelope_of, examples
from tests.integration.consuming import Consumed, consume
from tests.integration.processes import GATEWAY, GatewayProcess, command, serving, until
from tests.integration.senders import CLIENTS

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module", params=CLIENTS)
def chosen(kafka: Broker, request: pytest.FixtureRequest) -> settings.Settings:
    return settings.load(
        {
            "GATEWAY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "GATEWAY_TOPIC_PREFIX": f"endtoend-{request.param}",
            "GATEWAY_KAFKA_CLIENT": request.param,
            "GATEWAY_TOPIC_PARTITIONS": "3",
            "GATEWAY_MAPPINGS_DIR": str(MAPPINGS),
        }
    )


@pytest.fixture(scope="module")
def topics(chosen: settings.Settings) -> tuple[str, ...]:
    declared = app.build(chosen).router.topics()
    kafka_topics.create(chosen, declared)
    return declared


@pytest.fixture(scope="module")
def gateway(
    chosen: settings.Settings, topics: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    names = {
        "kafka_bootstrap_servers": ",".join(chosen.kafka_bootstrap_servers),
        "kafka_client": chosen.kafka_client,
        "topic_prefix": chosen.topic_prefix,
        "mappings_dir": str(MAPPINGS),
    }
    with serving(folder, GATEWAY, **names, ack="broker") as process:  # so that receipts say where
        process.wait_until_ready()
        yield process


def post(gateway: GatewayProcess, example: Example) -> list[dict[str, Any]]:
    return taken(gateway, example.path, example.body, example.headers, example.method)


RETRIES: list[str] = []


def taken(
    gateway: GatewayProcess,
    path: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> list[dict[str, Any]]:
    """Send until it is taken, as a sender does: a slow machine may need more than the budget."""
    answer = gateway.send(method, path, body, headers)
    while answer.status == 503 and len(RETRIES) < 50:
        RETRIES.append(path)
        answer = gateway.send(method, path, body, headers)
    assert answer.status == 202, answer.body
    return list(answer.json["events"])


def test_every_valid_example_is_on_its_topic_with_its_key_headers_and_envelope(
    kafka: Broker, chosen: settings.Settings, gateway: GatewayProcess, topics: tuple[str, ...]
) -> None:
    sent = [
        (expected, receipt)
        for example in examples("valid")
        for expected, receipt in zip(example.expected["records"], post(gateway, example), strict=True)
    ]
    placed = {(r.topic, r.partition, r.offset): r for r in consume(kafka.bootstrap, topics)}
    schemas = SchemaStore(folder())
    for expected, receipt in sent:
        record = placed.pop((receipt["topic"], receipt["partition"], receipt["offset"]))
        assert record.topic == expected["topic"].replace("events", chosen.topic_prefix, 1)
        assert record.key.decode() == receipt["key"] == expected["key"].replace(REQUEST_ID, receipt["id"])
        assert record.headers["ce_id"].decode() == receipt["id"]
        assert not schemas.check(ENVELOPE, json.loads(record.value))
        same_but_for_the_clock(expected["envelope"], record, receipt["id"])
    assert len(placed) <= len(RETRIES), "nothing else is on any topic, but for what was sent twice"


def same_but_for_the_clock(expected: dict[str, Any], record: Consumed, id: str) -> None:
    """The expected envelope was made at a fixed time, with a fixed id where the sender gives none."""
    envelope = envelope_of(record.value)
    received = envelope["receivedTime"]
    time = received if expected["time"] == expected["receivedTime"] else expected["time"]
    subject = expected["subject"] | {"id": expected["subject"]["id"].replace(REQUEST_ID, id)}
    assert envelope == expected | {"receivedTime": received, "time": time, "subject": subject}


def test_records_of_one_key_lie_in_one_partition_in_the_order_they_were_accepted(
    kafka: Broker, chosen: settings.Settings, gateway: GatewayProcess
) -> None:
    event = {"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "one-key"}
    offsets = []
    for number in range(20):
        body = json.dumps(event | {"number": number}).encode()
        offsets.append(taken(gateway, "/events", body)[0])
    assert len({receipt["partition"] for receipt in offsets}) == 1
    found = consume(kafka.bootstrap, [f"{chosen.topic_prefix}.incident.detected"])
    mine = [r for r in found if r.key == b"incident/one-key"]
    assert [json.loads(r.value)["payload"]["number"] for r in mine] == list(range(20))


def test_the_headers_are_the_cloudevents_kafka_binding(
    kafka: Broker, chosen: settings.Settings, gateway: GatewayProcess
) -> None:
    body = b'{"event_name": "incident", "event_action": "succeeded", "team_id": "t", "commit": "c9"}'
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "transport-1",
        "ce-source": "/mine",
        "ce-type": "anything",
        "ce-traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    taken(gateway, "/events", body, headers)
    found = consume(kafka.bootstrap, [f"{chosen.topic_prefix}.incident.resolved"])
    record = next(r for r in found if r.key == b"incident/c9")
    assert {name: value.decode() for name, value in record.headers.items() if name != "ce_time"} == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": "transport-1",
        "ce_source": "/mine",
        "ce_type": "dev.cloudevents-gateway.incident.resolved.v1",
        "ce_subject": "c9",
        "ce_dataschema": "https://cloudevents-gateway.dev/schemas/envelope.schema.json",
        "ce_partitionkey": "incident/c9",
        "ce_traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }


def test_invalid_examples_are_refused_and_leave_nothing_but_a_dead_letter(
    kafka: Broker, chosen: settings.Settings, gateway: GatewayProcess, topics: tuple[str, ...]
) -> None:
    dead_letters = f"{chosen.topic_prefix}.deadletter"
    events = [topic for topic in topics if topic != dead_letters]
    before, answers = len(consume(kafka.bootstrap, events)), {}
    for example in examples("invalid"):
        answer = gateway.send(example.method, example.path, example.body, example.headers)
        assert answer.status == example.expected["status"], (example.name, answer.body)
        assert answer.json["type"] == example.expected["type"], example.name
        answers[answer.headers["X-Request-Id"]] = answer.json
    until(lambda: len(consume(kafka.bootstrap, [dead_letters])) == len(answers), 30, "the dead letters")
    for record in consume(kafka.bootstrap, [dead_letters]):
        assert_is_dead_letter(record.value)
        assert json.loads(record.value)["problem"] == answers.pop(record.headers["ce_id"].decode())
    assert len(consume(kafka.bootstrap, events)) == before


def test_tail_reads_from_kafka(
    kafka: Broker, chosen: settings.Settings, gateway: GatewayProcess, tmp_path: Path
) -> None:
    event = b'{"event_name": "tailed", "event_action": "once", "team_id": "t"}'
    taken(gateway, "/events", event)
    arguments = ["tail", f"{chosen.topic_prefix}.custom", "--from-start", "--no-follow"]
    lines = command(
        arguments, tmp_path, kafka_bootstrap_servers=kafka.bootstrap, kafka_client=chosen.kafka_client
    ).splitlines()
    assert "tailed/t" in [json.loads(line)["key"] for line in lines]
