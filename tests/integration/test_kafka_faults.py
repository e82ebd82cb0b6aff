"""What senders see while Kafka is away or hangs; then it comes back, and has each event once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from broker import Broker

from gateway.publishing.spool_file import read_back
from tests.integration.processes import GATEWAY, kill_all, serving, until
from tests.integration.senders import (
    CLIENTS,
    create_topics,
    found,
    hung,
    ids,
    new_topics,
    outcome,
    post,
    post_until_published,
    refused,
    wait_until_connected,
    wait_until_drained,
)

pytestmark = pytest.mark.kafka

NOWHERE = "127.0.0.1:1"  # a port that nobody listens on


@pytest.mark.parametrize("client", CLIENTS)
def test_it_starts_without_kafka_and_publishes_what_it_took_once_kafka_is_there_and_again(
    own_broker: Broker, tmp_path: Path, client: str
) -> None:
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap, kafka_client=client) as gateway:
        answers = [post(gateway) for _ in range(3)]
        assert [outcome(answer) for answer in answers] == ["spooled"] * 3
        ready = gateway.get("/readyz")
        assert ready.status == 200
        assert ready.json["status"] == "Kafka is away; events go to the spool"
        assert ready.json["spooled"] == 3
        own_broker.start()
        create_topics(own_broker, tmp_path)
        wait_until_connected(gateway)
        wait_until_drained(gateway)
        answers += post_until_published(gateway)
        own_broker.stop()
        answers += [post(gateway) for _ in range(5)]
        own_broker.start()
        wait_until_drained(gateway)
        answers += post_until_published(gateway)
    assert [outcome(answer) for answer in answers].count("spooled") >= 8
    assert found(own_broker) == ids(*answers)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_hung_broker_costs_one_sender_the_budget_and_consumers_no_copy(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    chosen = new_topics(kafka, tmp_path)
    with serving(tmp_path, GATEWAY, **chosen, kafka_client=client) as gateway:
        wait_until_connected(gateway)
        answers = post_until_published(gateway)
        with hung(kafka):
            answers += [post(gateway) for _ in range(5)]
            until(lambda: "away" in gateway.get("/readyz").json["status"], 30, "the gateway to notice")
            answers += [post(gateway) for _ in range(5)]
        wait_until_drained(gateway)
        answers += post_until_published(gateway)
    assert [outcome(answer) for answer in answers].count("spooled") >= 10
    assert found(kafka, chosen["topic_prefix"]) == ids(*answers)


def test_what_a_killed_gateway_had_spooled_is_published_after_its_restart(
    kafka: Broker, tmp_path: Path
) -> None:
    chosen = new_topics(kafka, tmp_path)
    with serving(tmp_path, GATEWAY, **(chosen | {"kafka_bootstrap_servers": NOWHERE})) as gateway:
        answers = [post(gateway) for _ in range(3)]
        kill_all(gateway)
    with serving(tmp_path, GATEWAY, **chosen) as gateway:
        wait_until_connected(gateway)
        wait_until_drained(gateway)
    assert found(kafka, chosen["topic_prefix"]) == ids(*answers)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stop_while_the_broker_hangs_leaves_the_events_in_the_spool(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    chosen = new_topics(kafka, tmp_path)
    with serving(tmp_path, GATEWAY, **chosen, kafka_client=client, ack_budget_ms="800") as gateway:
        wait_until_connected(gateway)
        with hung(kafka), ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(post, gateway) for _ in range(4)]
            time.sleep(0.4)  # within the budget, so that they wait for Kafka now
            assert gateway.stop() == 0
            answers = [future.result() for future in waiting]
    assert {outcome(answer) for answer in answers} == {"spooled"}
    spooled = {dict(row.record.headers)["ce_id"].decode() for row in read_back(tmp_path / ".data")}
    assert spooled == set(ids(*answers))


@pytest.mark.parametrize("client", CLIENTS)
def test_without_a_spool_an_event_is_unavailable_while_kafka_is(
    kafka: Broker, tmp_path: Path, client: str
) -> None:
    chosen = new_topics(kafka, tmp_path)
    with serving(tmp_path, GATEWAY, **chosen, kafka_client=client, ack="broker") as gateway:
        wait_until_connected(gateway)
        until(lambda: post(gateway).status == 202, 30, "an event to be taken")
        with hung(kafka):
            assert refused(post(gateway))
            until(lambda: gateway.get("/readyz").status == 503, 30, "the gateway to notice")
            assert post(gateway).json["detail"] == "Kafka is away"
        wait_until_connected(gateway)
        until(lambda: post(gateway).status == 202, 30, "an event to be taken again")
    assert list(tmp_path.glob(".data/spool*")) == []
