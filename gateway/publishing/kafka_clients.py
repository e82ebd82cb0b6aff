"""How kafka-python's clients are made and configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from gateway.errors import Refusal
from gateway.model import Record
from gateway.publishing import refusals
from gateway.settings import Settings

logger = logging.getLogger(__name__)

Client = TypeVar("Client")

_PROBE_TIMEOUT_MS = 3_000
_OVERHEAD, _OVERHEAD_OF_HEADER = 100, 10  # bytes that a batch and its encoding add at most

_TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
_REFUSED = (
    kafka_errors.InvalidRecordError,
    kafka_errors.PolicyViolationError,
    kafka_errors.InvalidTimestampError,
    kafka_errors.CorruptRecordError,
)
_ABOUT_TOPIC = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.UnknownTopicOrPartitionError,
    kafka_errors.InvalidTopicError,
)


def build(kind: Callable[..., Client], options: dict[str, Any]) -> Client:
    """Make a client. Raises KafkaError and more when no broker answers.

    kafka-python 3.0.12 leaves a thread running behind every client that failed to connect; here it is ended.
    """
    made: list[KafkaNetClient] = []

    def network(**configs: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**configs))
        return made[-1]

    try:
        return kind(**options, kafka_client=network)
    except BaseException:
        for client in made:
            client.close()
        raise


def connection(settings: Settings) -> dict[str, Any]:
    """Give the options that every kafka-python client shares; the user's security settings among them."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.kafka_bootstrap_servers),
        "client_id": "cloudevents-gateway",
        "security_protocol": settings.kafka_security_protocol,
        "reconnect_backoff_max_ms": 1_000,
        "bootstrap_timeout_ms": 5_000,
    }
    if settings.kafka_sasl_mechanism is not None:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.sasl_password(),
        }
    files = {
        "ssl_cafile": settings.kafka_ssl_ca_file,
        "ssl_certfile": settings.kafka_ssl_certificate_file,
        "ssl_keyfile": settings.kafka_ssl_key_file,
    }
    return options | {name: str(path) for name, path in files.items() if path is not None}


def options_of_producer(settings: Settings) -> dict[str, Any]:
    """Give the producer's options.

    Idempotence is off because kafka-python 3.0.12 never publishes again after one refused or expired batch
    with it on; one batch in flight a connection keeps the order without it. Consumers drop the duplicates
    of a retry by ``source`` and ``id``.

    No sender waits for this client longer than its budget, so its own times are long: a record that is sent
    again, because the first answer came too late, is a duplicate. With a spool behind it the client keeps
    trying for a day; without, the sender was told to send again, and it gives up soon. ``max_block_ms`` is
    how long one vanished topic may hold up the rest.
    """
    minute, keeps = 60_000, settings.ack != "broker"
    return connection(settings) | {
        "acks": "all",
        "enable_idempotence": False,
        "max_in_flight_requests_per_connection": 1,
        "allow_auto_create_topics": False,
        "linger_ms": 1,
        "batch_size": 262_144,
        "max_block_ms": 2_000,
        "request_timeout_ms": 2 * minute if keeps else 10_000,
        "delivery_timeout_ms": 24 * 60 * minute if keeps else 15_000,
        "max_request_size": settings.max_record_bytes + 65_536,
        "metrics_enabled": False,
    }


def refusal(error: BaseException, record: Record) -> Refusal | None:
    """Give the refusal that the error means; None when Kafka may still take the record, or has taken it."""
    if isinstance(error, _TOO_LARGE):
        return refusals.too_large(record)
    return refusals.refused(type(error).__name__) if isinstance(error, _REFUSED) else None


def is_about_topic(error: BaseException) -> bool:
    """Tell an error that every record of the topic would meet."""
    return isinstance(error, _ABOUT_TOPIC)


def append(producer: KafkaProducer, place: TopicPartition, record: Record) -> tuple[Any, bool]:
    """Put a record into the producer's batch for a partition; tell its future, and whether to wake it.

    What ``KafkaProducer.send`` does besides costs as much again: it looks for the partition, checks types,
    and makes texts for a log that is off. Raises what it raises.
    """
    room = producer.config["max_request_size"] - _OVERHEAD - _OVERHEAD_OF_HEADER * len(record.headers)
    if record.size > room:
        raise kafka_errors.MessageSizeTooLargeError(f"{record.size} bytes")
    accumulator: Any = producer._accumulator
    sent, full, fresh, _ = accumulator.append(place, None, record.key, record.value, record.headers)
    return sent, full or fresh


def wake(producer: KafkaProducer) -> None:
    """Have the producer's thread look for what to send."""
    producer._sender.wakeup()


class Library:
    """kafka-python, as the connection uses it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient | None = None

    def connect(self, producer: KafkaProducer | None) -> tuple[KafkaProducer, frozenset[str]]:
        """Ask the brokers for their topics; make a producer if there is none. Raises anything."""
        if self._admin is None:
            options = connection(self._settings) | {"request_timeout_ms": _PROBE_TIMEOUT_MS}
            self._admin = build(KafkaAdminClient, options)
        topics = frozenset(self._admin.list_topics())
        return producer or build(KafkaProducer, options_of_producer(self._settings)), topics

    def learn(self, producer: KafkaProducer, topics: Collection[str]) -> None:
        """Let no later send wait for metadata; all at once, since one answer tells of all of them."""
        with ThreadPoolExecutor(len(topics)) as pool:
            list(pool.map(producer.partitions_for, topics))

    def is_alive(self, producer: KafkaProducer) -> bool:
        """Say whether the producer's own thread runs."""
        return bool(producer._sender.is_alive())

    def force_close(self, producer: KafkaProducer) -> None:
        """Close without waiting: ``KafkaProducer.close`` waits for what is pending, and raises if it stays.

        What is pending ends as failed. The thread of a producer that hangs in a call cannot be ended; it is
        left.
        """
        try:
            producer._sender.force_close()
            producer._sender.join(timeout=1)
            producer.close(timeout=0)
        except Exception as error:
            logger.debug("a Kafka producer did not close cleanly", extra={"error": str(error)})

    def disconnect(self) -> None:
        """Let go of the connection that asks, whatever it throws."""
        try:
            if self._admin is not None:
                self._admin.close()
        except Exception as error:
            logger.debug("a Kafka client did not close cleanly", extra={"error": str(error)})
        self._admin = None
