"""Making Kafka clients while there is no Kafka."""

from __future__ import annotations

import socket
import threading

import pytest
from kafka import KafkaAdminClient, KafkaProducer, errors

from gateway import settings
from gateway.errors import RecordRefused, Refusal, TooLarge
from gateway.publishing import kafka_clients, kafka_reach
from gateway.settings import Settings
from tests.samples import record


def pointing_at(server: str) -> Settings:
    return settings.load({"GATEWAY_KAFKA_BOOTSTRAP_SERVERS": server})


@pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaProducer])
def test_a_client_that_cannot_connect_leaves_no_thread_behind(kind: type) -> None:
    options = kafka_clients.connection(pointing_at("nowhere.invalid:9092")) | {"bootstrap_timeout_ms": 200}
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(errors.KafkaError):
            kafka_clients.build(kind, options)
    assert threading.active_count() == before


def test_a_closed_port_and_a_wrong_name_are_told_apart() -> None:
    assert "refused" in kafka_reach.why_unreachable(pointing_at("127.0.0.1:1"))
    assert "not known" in kafka_reach.why_unreachable(pointing_at("nowhere.invalid:9092"))


def test_a_port_where_something_else_answers_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        reached = kafka_reach.why_unreachable(pointing_at(f"127.0.0.1:{other.getsockname()[1]}"))
    assert "nothing speaks Kafka there" in reached


def test_every_server_is_told() -> None:
    reached = kafka_reach.why_unreachable(pointing_at("127.0.0.1:1, 127.0.0.1:2"))
    assert reached.startswith("127.0.0.1:1: ")
    assert "; 127.0.0.1:2: " in reached


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (errors.MessageSizeTooLargeError, TooLarge),
        (errors.RecordListTooLargeError, TooLarge),
        (errors.InvalidRecordError, RecordRefused),
        (errors.PolicyViolationError, RecordRefused),
        (errors.CorruptRecordError, RecordRefused),
        (errors.InvalidTimestampError, RecordRefused),
        (errors.KafkaTimeoutError, None),
        (errors.TopicAuthorizationFailedError, None),
        (errors.NotEnoughReplicasError, None),
        (errors.KafkaConnectionError, None),
        (RuntimeError, None),
    ],
)
def test_what_kafka_refuses_for_good_is_a_refusal_and_the_rest_is_not(
    error: type[Exception], refusal: type[Refusal] | None
) -> None:
    found = kafka_clients.refusal(error(), record("t"))
    assert isinstance(found, refusal) if refusal else found is None
