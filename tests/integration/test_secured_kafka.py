"""A real Apache Kafka with SASL, TLS and access control, and a gateway with no more rights than it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker

from tests.integration.consuming import consume
from tests.integration.processes import GATEWAY, command, serving, until
from tests.integration.secured import (
    CREATES,
    READS,
    STRANGER,
    Authority,
    SecuredKafka,
    secured_kafka,
)

pytestmark = pytest.mark.kafka

PAGE = Path(__file__).parent.parent.parent / "docs" / "operators.md"
CLIENTS = ["kafka-python"]
WAYS = [
    pytest.param("SSL", "", id="client certificate"),
    *(pytest.param("SASL_SSL", name, id=f"{name} over TLS") for name in ("PLAIN", "SCRAM-SHA-512")),
    pytest.param("SASL_PLAINTEXT", "SCRAM-SHA-256", id="SCRAM-SHA-256 in the clear"),
]
TOPIC = "events.service.deployed"
EVENT = b'{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}'


@pytest.fixture(scope="module")
def secured(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """``kafka`` has fetched the jars, or said why there are none. The rights are those of the page."""
    with secured_kafka(tmp_path_factory.mktemp("secured")) as made:
        lines = re.findall(r"^kafka-.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(lines) == 3
        for line in lines:
            made.run(line)
        command(["topics", "--create"], made.authority.folder, kafka_bootstrap_servers=made.broker.bootstrap)
        yield made


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("protocol", "mechanism"), WAYS)
def test_with_describe_and_write_on_its_topics_the_gateway_publishes(
    secured: SecuredKafka, tmp_path: Path, protocol: str, mechanism: str, client: str
) -> None:
    chosen = secured.settings(protocol, mechanism) | {"kafka_client": client}
    with serving(tmp_path, GATEWAY, **chosen) as gateway:
        until(lambda: gateway.get("/readyz").json["status"] == "Kafka", 60, "Kafka")
        answer = gateway.send("POST", "/events", EVENT)
        (receipt,) = answer.json["events"]
        assert (answer.status, receipt["outcome"]) == (202, "published")
    offsets = [record.offset for record in consume(secured.broker.bootstrap, [TOPIC])]
    assert receipt["offset"] in offsets


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"kafka_sasl_password": "not-it"}, id="wrong password"),
        pytest.param({"kafka_sasl_username": "nobody"}, id="unknown user"),
        pytest.param({"kafka_security_protocol": "PLAINTEXT"}, id="no TLS"),
    ],
)
def test_turned_away_by_kafka_it_says_so_and_keeps_what_it_takes_in_the_spool(
    secured: SecuredKafka, tmp_path: Path, wrong: dict[str, str], client: str
) -> None:
    chosen = secured.settings("SASL_SSL") | wrong | {"kafka_client": client}
    with serving(tmp_path, GATEWAY, **chosen) as gateway:
        answer = gateway.send("POST", "/events", EVENT)
        assert (answer.status, answer.json["events"][0]["outcome"]) == (202, "spooled")
        until(lambda: b"Kafka is away" in gateway.log.read_bytes(), 60, "the log to say it")
        assert b"not-it" not in gateway.log.read_bytes()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_broker_of_another_authority_gets_nothing(
    secured: SecuredKafka, tmp_path: Path, client: str
) -> None:
    other = Authority(tmp_path / "other", "other")
    chosen = secured.settings("SASL_SSL") | {"kafka_ssl_ca_file": str(other.file), "kafka_client": client}
    with serving(tmp_path, GATEWAY, **chosen) as gateway:
        assert gateway.send("POST", "/events", EVENT).json["events"][0]["outcome"] == "spooled"
        until(lambda: b"Kafka is away" in gateway.log.read_bytes(), 60, "the log to say it")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_user_without_rights_has_its_events_in_the_spool_and_topics_missing(
    secured: SecuredKafka, tmp_path: Path, client: str
) -> None:
    chosen = secured.settings("SASL_SSL", user=STRANGER) | {"kafka_client": client}
    with serving(tmp_path, GATEWAY, **chosen) as gateway:
        assert gateway.send("POST", "/events", EVENT).json["events"][0]["outcome"] == "spooled"
        until(lambda: TOPIC in gateway.get("/readyz").json.get("missingTopics", ()), 60, "missing topics")


def test_a_password_may_come_from_a_file(secured: SecuredKafka, tmp_path: Path) -> None:
    chosen = secured.settings("SASL_SSL")
    file = tmp_path / "password"
    file.write_text(chosen.pop("kafka_sasl_password") + "\n")
    printed = command(["topics"], tmp_path, **chosen, kafka_sasl_password_file=str(file))
    assert TOPIC in printed.splitlines()


def test_to_create_topics_takes_create_and_describe(secured: SecuredKafka, tmp_path: Path) -> None:
    chosen = secured.settings("SASL_SSL", "PLAIN", user=STRANGER) | {"topic_prefix": "made"}
    secured.allow(STRANGER, "made.", CREATES)
    command(["topics", "--create"], tmp_path, **chosen)
    assert "made.service.deployed" in command(["topics"], tmp_path, **chosen).splitlines()
    secured.allow(STRANGER, "made.", READS)
    assert command(["tail", "made.*", "--from-start", "--no-follow"], tmp_path, **chosen) == ""
