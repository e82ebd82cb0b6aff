"""Sentry waits one second and never sends again: what it is told while a real broker hangs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from broker import Broker

from gateway import app, settings
from gateway.app import Gateway
from gateway.keeper import Taken
from gateway.model import Message
from gateway.promises import Promise
from gateway.publishing.kafka_python import KafkaPython
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from tests.integration.consuming import consume
from tests.integration.processes import GATEWAY, GatewayProcess, serving, until
from tests.integration.senders import (
    EVENT,
    hung,
    new_topics,
    outcome,
    post_until_published,
    wait_until_drained,
)
from tests.publisher_contract import eventually

pytestmark = pytest.mark.kafka

WAIT = 60.0
AN_HOUR = 3_600.0
SENTRY = {"Content-Type": "application/json", "Sentry-Hook-Resource": "issue"}


def created(issue: str) -> bytes:
    return b'{"action": "created", "data": {"issue": {"id": "%s"}}}' % issue.encode()


def from_sentry(gateway: GatewayProcess, issue: str) -> str:
    return outcome(gateway.send("POST", "/events/sentry", created(issue), SENTRY))


@contextmanager
def patient(chosen_by: Mapping[str, str], folder: Path) -> Iterator[Gateway]:
    """A gateway whose settings are those of everybody, but that waits for Kafka for an hour."""
    named = dict(chosen_by) | {"data_dir": str(folder)}
    chosen = settings.load({f"GATEWAY_{name.upper()}": value for name, value in named.items()})
    topics = app.build(chosen).router.topics()
    publisher = Spooling(
        KafkaPython(chosen, topics),
        Spool(folder),
        budget=AN_HOUR,
        disk_timeout=WAIT,
        max_bytes=10**7,
        max_in_flight_bytes=10**7,
    )
    publisher.start()
    try:
        assert eventually(lambda: publisher.healthy().status == "Kafka")
        yield app.build(chosen, publisher)
    finally:
        publisher.close()


def accept(gateway: Gateway, system: str, body: bytes) -> Promise[Taken]:
    headers = {name.lower(): value for name, value in SENTRY.items()}
    message = Message(headers=headers, body=body, id=system, received=datetime.now(UTC), system=system)
    return gateway.pipeline.accept(message)


def outcomes(taken: Promise[Taken]) -> list[str]:
    receipts = taken.result(WAIT)
    assert isinstance(receipts, tuple)
    return [receipt.placement.outcome.value for receipt in receipts]


def keys(broker: Broker, prefix: str) -> list[bytes]:
    return sorted(record.key for record in consume(broker.bootstrap, [f"{prefix}.incident.detected"]))


def test_an_event_of_sentry_is_answered_before_one_that_came_earlier(kafka: Broker, tmp_path: Path) -> None:
    chosen = new_topics(kafka, tmp_path)
    with patient(chosen, tmp_path) as gateway:
        with hung(kafka):
            earlier = accept(gateway, "ctoai", EVENT)
            assert outcomes(accept(gateway, "sentry", created("1"))) == ["spooled"]
            assert not earlier.done()
        assert outcomes(earlier) == ["published"]
        until(lambda: gateway.publisher.healthy().spooled == 0, WAIT, "the spool to be drained")
        assert keys(kafka, chosen["topic_prefix"]) == [b"incident/1", b"incident/c"]


def test_a_system_that_does_not_wait_for_kafka_is_spooled_whatever_kafka_does(
    kafka: Broker, tmp_path: Path
) -> None:
    chosen = new_topics(kafka, tmp_path)
    with serving(tmp_path, GATEWAY, **chosen, system_ack="sentry=spool") as gateway:
        sent = post_until_published(gateway)
        assert from_sentry(gateway, "1") == "spooled"
        with hung(kafka):
            assert from_sentry(gateway, "2") == "spooled"
            assert from_sentry(gateway, "3") == "spooled"
        wait_until_drained(gateway)
        assert keys(kafka, chosen["topic_prefix"]) == [b"incident/1", b"incident/2", b"incident/3"] + [
            b"incident/c"
        ] * len(sent)
