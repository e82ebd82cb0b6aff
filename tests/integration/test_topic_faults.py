"""What senders see when one topic cannot be written: its own events wait, all others go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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

from tests.integration.processes import GatewayProcess, serving, until
from tests.integration.senders import (
    CLIENTS,
    EVENT,
    OTHER_EVENT,
    TOPIC,
    create_topics,
    found,
    ids,
    outcome,
    post,
    wait_until_connected,
    wait_until_drained,
)

pytestmark = pytest.mark.kafka

BATCHED = {"Content-Type": "application/cloudevents-batch+json"}
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


def batch(*documents: bytes) -> bytes:
    head = b'{"specversion": "1.0", "type": "t", "source": "/s", "id": "%d", "data": %s}'
    return b"[%s]" % b",".join(head % member for member in enumerate(documents))


@contextmanager
def broker_with(folder: Path, properties: dict[str, str]) -> Iterator[Broker]:
    broker = Broker.on_free_ports(folder / "with-properties", properties=properties)
    broker.start()
    try:
        create_topics(broker, folder)
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


def rule(operation: ACLOperation, permission: ACLPermissionType) -> ACL:
    """An access rule about the topic, for everybody."""
    return ACL("User:*", "*", operation, permission, ResourcePattern(ResourceType.TOPIC, TOPIC))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_missing_topic_is_named_and_never_created_by_an_event(
    own_broker: Broker, tmp_path: Path, client: str
) -> None:
    own_broker.start()
    create_topics(own_broker, tmp_path)
    with administering(own_broker) as admin:
        admin.delete_topics([TOPIC])
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap, kafka_client=client) as gateway:
        until(
            lambda: gateway.get("/readyz").json.get("missingTopics") == [TOPIC], 60, "the topic to be missed"
        )
        taken = post(gateway)
        assert outcome(taken) == "spooled"
        until(lambda: published(gateway), 60, "other topics to go on")
        with administering(own_broker) as admin:
            assert TOPIC not in admin.list_topics()
        create_topics(own_broker, tmp_path)
        wait_until_drained(gateway)
    assert found(own_broker) == ids(taken)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_record_too_large_for_its_topic_is_413_and_the_next_event_passes(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    with (
        broker_with(tmp_path, {"message.max.bytes": "20000"}) as broker,
        serving(tmp_path, kafka_bootstrap_servers=broker.bootstrap, kafka_client=client) as gateway,
    ):
        wait_until_connected(gateway)
        large = EVENT[:-1] + b', "note": "%s"}' % (b"x" * 30_000)
        answer = gateway.send("POST", "/events", large)
        assert (answer.status, answer.json["type"]) == (413, "too-large")
        answer = gateway.send("POST", "/events", batch(EVENT, large, EVENT), BATCHED)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (413, "/1")
        assert post(gateway).status == 202
        assert b'{outcome="published",system="ctoai"} 3.0' in gateway.get("/metrics").body
        assert b'{outcome="rejected",system="ctoai"} 2.0' in gateway.get("/metrics").body


@pytest.mark.parametrize("client", CLIENTS)
def test_a_topic_that_may_not_be_written_spools_its_events_and_others_go_on(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    with broker_with(tmp_path, AUTHORIZER) as broker:
        all_but_writing = [
            rule(ACLOperation.ALL, ACLPermissionType.ALLOW),
            rule(ACLOperation.WRITE, ACLPermissionType.DENY),
        ]
        with administering(broker) as admin:
            admin.create_acls(all_but_writing)
        with serving(tmp_path, kafka_bootstrap_servers=broker.bootstrap, kafka_client=client) as gateway:
            wait_until_connected(gateway)
            taken = post(gateway)
            assert outcome(taken) == "spooled"
            until(lambda: published(gateway), 60, "other topics to go on")
            assert gateway.get("/readyz").json["missingTopics"] == [TOPIC]
            with administering(broker) as admin:
                admin.delete_acls(all_but_writing[1:])
            wait_until_drained(gateway)
        assert found(broker) == ids(taken)


def published(gateway: GatewayProcess) -> bool:
    return outcome(gateway.send("POST", "/events", OTHER_EVENT)) == "published"
