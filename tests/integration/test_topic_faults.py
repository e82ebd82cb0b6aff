"""What senders see when one topic cannot be written: its own events wait, all others go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from broker import Broker
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
)

from gateway import publishers, settings
from gateway.model import Outcome, Publisher
from gateway.publishing import kafka_connection, kafka_topics
from tests.integration.consuming import consume
from tests.integration.processes import GATEWAY, GatewayProcess, serving, until
from tests.integration.senders import (
    CLIENTS,
    EVENT,
    OTHER_EVENT,
    create_topics,
    found,
    ids,
    limit_topic,
    new_topics,
    outcome,
    post,
    wait_until_connected,
    wait_until_drained,
)
from tests.publisher_contract import WAIT, eventually
from tests.samples import record
from tests.test_metrics import read

pytestmark = pytest.mark.kafka

COUNTED = 'gateway_events_total{outcome="%s",reason="%s",system="ctoai"}'
BATCHED = {"Content-Type": "application/cloudevents-batch+json"}
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


def batch(*documents: bytes) -> bytes:
    head = b'{"specversion": "1.0", "type": "t", "source": "/s", "id": "%d", "data": %s}'
    return b"[%s]" % b",".join(head % member for member in enumerate(documents))


@pytest.fixture(scope="module")
def strict(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that heeds access rules; ``kafka`` has fetched the jars."""
    broker = Broker.on_free_ports(tmp_path_factory.mktemp("strict"), properties=AUTHORIZER)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def administering(broker: Broker) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        yield admin
    finally:
        admin.close()


def rule(topic: str, operation: ACLOperation, permission: ACLPermissionType) -> ACL:
    """An access rule about the topic, for everybody."""
    return ACL("User:*", "*", operation, permission, ResourcePattern(ResourceType.TOPIC, topic))


def detected(chosen: Mapping[str, str]) -> str:
    return f"{chosen['topic_prefix']}.incident.detected"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_missing_topic_is_named_and_never_created_by_an_event(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    chosen = new_topics(kafka, tmp_path)
    topic = detected(chosen)
    with administering(kafka) as admin:
        admin.delete_topics([topic])
    with serving(tmp_path, GATEWAY, **chosen, kafka_client=client) as gateway:
        until(
            lambda: gateway.get("/readyz").json.get("missingTopics") == [topic], 60, "the topic to be missed"
        )
        taken = post(gateway)
        assert outcome(taken) == "spooled"
        until(lambda: published(gateway), 60, "other topics to go on")
        with administering(kafka) as admin:
            assert topic not in admin.list_topics()
        create_topics(kafka, tmp_path, chosen["topic_prefix"])
        wait_until_drained(gateway)
    assert found(kafka, chosen["topic_prefix"]) == ids(taken)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_record_too_large_for_its_topic_is_413_and_the_next_event_passes(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    chosen = new_topics(kafka, tmp_path)
    limit_topic(kafka, detected(chosen), 20_000)
    with serving(tmp_path, GATEWAY, **chosen, kafka_client=client) as gateway:
        wait_until_connected(gateway)
        large = EVENT[:-1] + b', "note": "%s"}' % (b"x" * 30_000)
        answer = gateway.send("POST", "/events", large)
        assert (answer.status, answer.json["type"]) == (413, "too-large")
        answer = gateway.send("POST", "/events", batch(EVENT, large, EVENT), BATCHED)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (413, "/1")
        assert post(gateway).status == 202
        shown = read(gateway.get("/metrics").body.decode())
    assert shown[COUNTED % ("published", "")] == 3
    assert shown[COUNTED % ("rejected", "too-large")] == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_a_topic_that_may_not_be_written_spools_its_events_and_others_go_on(
    strict: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setattr(kafka_connection, "_SHUNNED_SECONDS", 1.0)
    denied, other = f"{client}.denied", f"{client}.other"
    named = {"kafka_bootstrap_servers": strict.bootstrap, "kafka_client": client, "data_dir": str(tmp_path)}
    chosen = settings.load({f"GATEWAY_{name.upper()}": value for name, value in named.items()})
    kafka_topics.create(chosen, [denied, other])
    all_but_writing = [
        rule(denied, ACLOperation.ALL, ACLPermissionType.ALLOW),
        rule(denied, ACLOperation.WRITE, ACLPermissionType.DENY),
    ]
    with administering(strict) as admin:
        admin.create_acls(all_but_writing)
    with closing(publishers.build(chosen, [denied, other])) as publisher:
        publisher.start()
        assert eventually(lambda: publisher.healthy().status == "Kafka")
        (waiting,) = publisher.publish([record(denied)]).result(WAIT)
        assert waiting.outcome is Outcome.SPOOLED
        assert eventually(lambda: goes_direct(publisher, other))
        assert eventually(lambda: publisher.healthy().missing_topics == (denied,))
        with administering(strict) as admin:
            admin.delete_acls(all_but_writing[1:])
        assert eventually(lambda: publisher.healthy().spooled == 0)
    assert len(consume(strict.bootstrap, [denied])) == 1


def goes_direct(publisher: Publisher, topic: str) -> bool:
    return publisher.publish([record(topic)]).result(WAIT)[0].outcome is Outcome.PUBLISHED


def published(gateway: GatewayProcess) -> bool:
    return outcome(gateway.send("POST", "/events", OTHER_EVENT)) == "published"
