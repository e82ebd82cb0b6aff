"""One real Apache Kafka for all integration tests, on ports and in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker, why_unavailable


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if reason := why_unavailable():
        if os.environ.get("CI") == "true":  # there a skipped test would go unnoticed
            pytest.fail(f"no Apache Kafka: {reason}")
        pytest.skip(f"no Apache Kafka: {reason}")
    broker = Broker.on_free_ports(tmp_path_factory.mktemp("kafka"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def own_broker(kafka: Broker, tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may stop; ``kafka`` has fetched the jars, or said why there are none."""
    broker = Broker.on_free_ports(tmp_path / "broker")
    yield broker
    broker.stop()
