"""How far a connection to the brokers gets, for whoever set it up wrongly."""

from __future__ import annotations

import socket

from gateway.settings import Settings


def why_unreachable(settings: Settings) -> str:
    """Say, a broker at a time, how far a connection gets: the client libraries tell a wrong name, a closed
    port and a wrong security protocol apart only in their debug logs. Takes up to two seconds a broker.
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
