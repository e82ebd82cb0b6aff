"""The publishers that need no broker, under the contract of all publishers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.haste import NO_HASTE, Haste
from gateway.model import Placement, Record
from gateway.promises import Promise
from gateway.publishing import local_log_file
from gateway.publishing.duplicates import Duplicates
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


class DistinctEvents(Duplicates):
    """Gives every record an id of its own: the contract's records repeat ids, and are events nevertheless."""

    ids = itertools.count()

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        return super().publish([replace(record, id=str(next(self.ids))) for record in records], haste)


class TestDuplicatesInMemory(PublisherContract):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        publisher = MemoryPublisher()
        return Made(DistinctEvents(publisher, tmp_path, 60), TOPICS, lambda: _in_memory(publisher))


class TestDuplicatesOverTheLocalLog(PublisherContract):
    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        log = LocalLog(tmp_path, disk_timeout=10)
        return Made(DistinctEvents(log, tmp_path, 60), TOPICS, lambda: _in_file(tmp_path))


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
