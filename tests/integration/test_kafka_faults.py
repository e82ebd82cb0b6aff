"""What senders see while Kafka is away, hung or lacks a topic; then it comes back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from confluent_kafka.admin import AdminClient

from tests.integration.consuming import consume
from tests.integration.processes import Answer, GatewayProcess, command, serving, until

pytestmark = pytest.mark.kafka

EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "c"}'
TOPIC = "events.incident.detected"
BATCHED = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture
def own_broker(kafka: Broker, tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may stop; ``kafka`` has fetched the jars, or said why there are none."""
    broker = Broker.on_free_ports(tmp_path / "broker")
    yield broker
    broker.stop()


def post(gateway: GatewayProcess) -> Answer:
    return gateway.send("POST", "/events", EVENT)


def batch(*documents: bytes) -> bytes:
    head = b'{"specversion": "1.0", "type": "t", "source": "/s", "id": "%d", "data": %s}'
    return b"[%s]" % b",".join(head % member for member in enumerate(documents))


def create_topics(broker: Broker, folder: Path) -> None:
    command(["topics", "--create"], folder, kafka_bootstrap_servers=broker.bootstrap)


def refused(answer: Answer) -> bool:
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    return int(answer.headers["Retry-After"]) > 0


def test_it_starts_without_kafka_and_publishes_once_kafka_is_there(
    own_broker: Broker, tmp_path: Path
) -> None:
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap) as gateway:
        assert refused(post(gateway))
        assert gateway.get("/livez").status == 200
        assert gateway.get("/readyz").json == {"ready": False, "status": "Kafka is away"}
        own_broker.start()
        create_topics(own_broker, tmp_path)
        gateway.wait_until_ready()
        until(lambda: post(gateway).status == 202, 30, "an event to be taken")
    assert consume(own_broker.bootstrap, [TOPIC])


def test_a_missing_topic_is_named_and_never_created_by_an_event(own_broker: Broker, tmp_path: Path) -> None:
    own_broker.start()
    create_topics(own_broker, tmp_path)
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap})
    admin.delete_topics([TOPIC])[TOPIC].result(30)
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap) as gateway:
        gateway.wait_until_ready()
        assert gateway.get("/readyz").json["missingTopics"] == [TOPIC]
        assert refused(post(gateway))
        other = EVENT.replace(b"initiated", b"succeeded")
        assert gateway.send("POST", "/events", other).status == 202, "other topics go on"
        assert TOPIC not in admin.list_topics(timeout=30).topics
        create_topics(own_broker, tmp_path)
        until(lambda: post(gateway).status == 202, 30, "the topic to be noticed")


def test_a_hung_broker_costs_a_bounded_wait_and_then_none(own_broker: Broker, tmp_path: Path) -> None:
    own_broker.start()
    create_topics(own_broker, tmp_path)
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap) as gateway:
        gateway.wait_until_ready()
        assert post(gateway).status == 202
        pid = own_broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            assert refused(post(gateway))
            until(lambda: gateway.get("/readyz").status == 503, 30, "the gateway to notice")
            assert post(gateway).json["detail"] == "Kafka is away"
        finally:
            os.kill(pid, signal.SIGCONT)
        gateway.wait_until_ready()
        until(lambda: post(gateway).status == 202, 30, "an event to be taken again")


def test_a_broker_that_restarts_is_found_again(own_broker: Broker, tmp_path: Path) -> None:
    own_broker.start()
    create_topics(own_broker, tmp_path)
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap) as gateway:
        gateway.wait_until_ready()
        taken = [post(gateway).json["events"][0]["id"]]
        own_broker.stop()
        until(lambda: gateway.get("/readyz").status == 503, 30, "the gateway to notice")
        assert refused(post(gateway))
        own_broker.start()
        gateway.wait_until_ready()
        until(lambda: post(gateway).status == 202, 30, "an event to be taken again")
    found = {record.headers["ce_id"].decode() for record in consume(own_broker.bootstrap, [TOPIC])}
    assert set(taken) <= found


def test_a_record_too_large_for_its_topic_is_413_and_the_next_event_passes(
    own_broker: Broker, tmp_path: Path
) -> None:
    broker = Broker.on_free_ports(tmp_path / "small", properties={"message.max.bytes": "20000"})
    broker.start()
    try:
        create_topics(broker, tmp_path)
        with serving(tmp_path, kafka_bootstrap_servers=broker.bootstrap) as gateway:
            gateway.wait_until_ready()
            large = EVENT[:-1] + b', "note": "%s"}' % (b"x" * 30_000)
            answer = gateway.send("POST", "/events", large)
            assert (answer.status, answer.json["type"]) == (413, "too-large")
            answer = gateway.send("POST", "/events", batch(EVENT, large, EVENT), BATCHED)
            assert (answer.status, answer.json["errors"][0]["pointer"]) == (413, "/1")
            assert post(gateway).status == 202
            assert b'{outcome="published",system="ctoai"} 3.0' in gateway.get("/metrics").body
            assert b'{outcome="rejected",system="ctoai"} 2.0' in gateway.get("/metrics").body
    finally:
        broker.stop()
