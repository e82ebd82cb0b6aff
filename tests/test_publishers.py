"""The publishers that need no broker, under the contract of all publishers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.publishing import local_log_file
from gateway.publishing.local_log import LocalLog
from tests.memory_publisher import MemoryPublisher
from tests.publisher_contract import Made, PublisherContract, Stored

TOPICS = ("events.incident.detected", "events.incident.resolved")


class TestMemoryPublisher(PublisherContract):
    @pytest.fixture
    def made(self) -> Made:
        publisher = MemoryPublisher()
        return Made(publisher, TOPICS, lambda: _in_memory(publisher))


class TestLocalLog(PublisherContract):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        return Made(
            LocalLog(tmp_path, disk_timeout=10),
            TOPICS,
            lambda: _in_file(tmp_path),
        )


def _in_memory(publisher: MemoryPublisher) -> list[Stored]:
    offsets = dict.fromkeys(TOPICS, 0)
    found = []
    for record in publisher.records:
        where = (record.topic, 0, offsets[record.topic])
        offsets[record.topic] += 1
        found.append(Stored(*where, record.key, record.value, record.headers))
    return found


def _in_file(folder: Path) -> list[Stored]:
    return [
        Stored(entry.topic, 0, entry.offset, entry.key, entry.value, entry.headers)
        for entry in local_log_file.read(folder, limit=1_000)
    ]
