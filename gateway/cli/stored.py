"""Records read back, from Kafka or the local log: what ``tail`` and ``replay`` have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fnmatch import fnmatchcase

from gateway.model import StoredRecord
from gateway.publishing import kafka_topics, local_log_file
from gateway.settings import Settings

_IDLE_SECONDS = 0.5


def records(chosen: Settings, pattern: str, *, from_start: bool) -> Iterator[StoredRecord | None]:
    """Read the topics that match the shell pattern, and never end.

    Gives None whenever all is read that was there at the start. Raises Unavailable when it cannot be read.
    """
    if chosen.kafka_bootstrap_servers:
        return kafka_topics.consume(chosen, pattern, from_start=from_start)
    return _local(chosen, pattern, from_start)


def _local(chosen: Settings, pattern: str, from_start: bool) -> Iterator[StoredRecord | None]:
    end = local_log_file.end(chosen.data_dir)
    position = 0 if from_start else end
    while True:
        entries = list(local_log_file.read(chosen.data_dir, after=position))
        for entry in entries:
            position = entry.position
            if fnmatchcase(entry.topic, pattern):
                yield entry
        if position >= end:
            yield None
        if not entries:
            time.sleep(_IDLE_SECONDS)
