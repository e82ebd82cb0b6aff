"""One real Apache Kafka for all integration tests, on ports and in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

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
