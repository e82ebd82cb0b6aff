"""The second Kafka client, while there is no Kafka."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from gateway import settings, starting
from gateway.errors import RecordRefused, Refusal, SettingsError, TooLarge, Unavailable
from gateway.publishing import librdkafka_clients
from gateway.publishing.client import End
from gateway.publishing.librdkafka import Librdkafka
from gateway.settings import Settings
from tests.publisher_contract import eventually
from tests.samples import record

NOWHERE = {"GATEWAY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "GATEWAY_KAFKA_CLIENT": "librdkafka"}


def chosen(**others: str) -> Settings:
    return settings.load(NOWHERE | {f"GATEWAY_{name.upper()}": value for name, value in others.items()})


def test_without_its_package_the_choice_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    for name in ("librdkafka", "librdkafka_clients"):
        monkeypatch.delitem(sys.modules, f"gateway.publishing.{name}", raising=False)
    with pytest.raises(SettingsError) as refused:
        starting.check(chosen())
    (fault,) = refused.value.faults
    assert fault.startswith("GATEWAY_KAFKA_CLIENT: librdkafka needs another package")
    assert "cloudevents-gateway[librdkafka]" in fault


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, TooLarge),
        (KafkaError.RECORD_LIST_TOO_LARGE, TooLarge),
        (KafkaError.INVALID_RECORD, RecordRefused),
        (KafkaError.POLICY_VIOLATION, RecordRefused),
        (KafkaError.INVALID_MSG, RecordRefused),
        (KafkaError.INVALID_TIMESTAMP, RecordRefused),
        (KafkaError._MSG_TIMED_OUT, None),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, None),
        (KafkaError.NOT_ENOUGH_REPLICAS, None),
        (KafkaError._PURGE_QUEUE, None),
        (KafkaError._FATAL, None),
    ],
)
def test_what_kafka_refuses_for_good_is_a_refusal_and_the_rest_is_not(
    code: int, refusal: type[Refusal] | None
) -> None:
    found = librdkafka_clients.refusal(KafkaError(code), record("t"))
    assert isinstance(found, refusal) if refusal else found is None


def test_the_security_settings_are_the_other_clients_by_librdkafkas_names(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    options = librdkafka_clients.connection(
        chosen(
            kafka_sasl_mechanism="SCRAM-SHA-512",
            kafka_sasl_username="u",
            kafka_sasl_password="p",
            kafka_security_protocol="SASL_SSL",
            kafka_ssl_ca_file=str(ca),
        )
    )
    assert (
        options
        | {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "u",
            "sasl.password": "p",
            "ssl.ca.location": str(ca),
        }
        == options
    )


@pytest.mark.parametrize("ack", ["auto", "broker"])
def test_librdkafka_knows_every_option(ack: str) -> None:
    options = librdkafka_clients.options_of_producer(chosen(ack=ack))
    assert isinstance(Producer(options), Producer)


@pytest.fixture
def unconnected() -> Librdkafka:
    return Librdkafka(chosen(), ["t"])


def test_before_it_is_connected_it_takes_nothing_and_says_so_of_each_record(unconnected: Librdkafka) -> None:
    ends: list[tuple[int, End]] = []
    unconnected.send([record("t"), record("t")], ends.extend)
    assert [index for index, _ in ends] == [0, 1]
    assert all(isinstance(end, Unavailable) for _, end in ends)
    assert not unconnected.available
    assert not unconnected.takes("t")


def test_brokers_that_are_away_are_told_once_and_why(
    unconnected: Librdkafka, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    unconnected.start()
    assert eventually(lambda: bool(caplog.records))
    unconnected.close(0)
    assert [told.getMessage() for told in caplog.records] == ["Kafka is away"]
    assert "refused" in str(vars(caplog.records[0])["reached"])
    assert capfd.readouterr().err == "", "librdkafka writes past the log"


def test_a_topic_found_narrow_is_sent_to_record_by_record_once_none_would_be_overtaken() -> None:
    """As after an outage, with records under way: those sent alone would come before them."""
    producers = librdkafka_clients.Producers(chosen())
    producers.together.produce("t", b"first")
    producers.found_narrow.add("t")
    producers.heed()
    assert "t" not in producers.narrow
    producers.purge(in_flight=True)
    assert eventually(lambda: producers.poll(0.01) == 0 and not len(producers))
    producers.heed()
    assert "t" in producers.narrow


def test_limits_that_nobody_tells_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(librdkafka_clients, "_PROBE_SECONDS", 0.1)
    library = librdkafka_clients.Library(chosen())
    library.learn(librdkafka_clients.Producers(chosen()), ["t"])
    assert library._unasked == {"t"}
