"""How kafka-python's clients are made and configured."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

from kafka.net.compat import KafkaNetClient

from gateway.settings import Settings

Client = TypeVar("Client")


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


def why_unreachable(settings: Settings) -> str:
    """Say, a broker at a time, how far a connection gets: kafka-python tells a wrong name, a closed port and
    a wrong security protocol apart only in its debug log. Takes up to two seconds a broker.
    """
    return "; ".join(f"{server}: {_how_far(server)}" for server in settings.kafka_bootstrap_servers)


def _how_far(server: str) -> str:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError as error:
        return str(error)
    return (
        "the port is open, but nothing speaks Kafka there with this security protocol and these credentials"
    )


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


def producer(settings: Settings) -> dict[str, Any]:
    """Give the producer's options.

    Idempotence is off because kafka-python 3.0.12 never publishes again after one refused or expired batch
    with it on; one batch in flight a connection keeps the order without it. Consumers drop the duplicates
    of a retry by ``source`` and ``id``.

    The times follow from the sender's: a request waits ``ack_timeout_ms`` (3 s), then is told to send again;
    the client goes on for ``delivery_timeout_ms``, long enough for one slow answer and a retry, so that a
    short fault costs nothing. ``max_block_ms`` is how long one vanished topic may hold up the rest.
    """
    return connection(settings) | {
        "acks": "all",
        "enable_idempotence": False,
        "max_in_flight_requests_per_connection": 1,
        "allow_auto_create_topics": False,
        "linger_ms": 0,
        "batch_size": 262_144,
        "max_block_ms": 2_000,
        "request_timeout_ms": 10_000,
        "delivery_timeout_ms": 15_000,
        "max_request_size": settings.max_record_bytes + 65_536,
        "metrics_enabled": False,
    }
