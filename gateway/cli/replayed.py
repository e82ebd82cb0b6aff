"""Which dead letters were published again, so that a second run leaves them out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Unavailable
from gateway.publishing.database import Database, Error
from gateway.publishing.file_lock import Lock

NAME = "replayed.sqlite3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replayed (
    topic TEXT NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (topic, id));
"""


class Replayed(Database):
    """Known by topic and id: the copies of a dead letter have one id, and a topic made anew other offsets."""

    def __init__(self, folder: Path) -> None:
        """Open or make it. Raises OSError or database.Error."""
        super().__init__(folder / NAME, _SCHEMA, "TRUNCATE")

    def has(self, topic: str, id: str) -> bool:
        """Whether it was published again."""
        found = self.execute("SELECT 1 FROM replayed WHERE topic = ? AND id = ?", (topic, id))
        return found.fetchone() is not None

    def add(self, topic: str, id: str) -> None:
        """Remember it, on the disk."""
        now = time.time_ns() // 1_000_000
        self.execute("INSERT OR REPLACE INTO replayed VALUES (?, ?, ?)", (topic, id, now))


@contextmanager
def opened(folder: Path) -> Iterator[Replayed]:
    """Open what is remembered, for one replay at a time. Raises Unavailable."""
    try:
        replayed = Replayed(folder)
        lock = Lock(folder / "replay.lock")
    except BlockingIOError:
        raise Unavailable(f"another replay is under way in {folder}") from None
    except (OSError, Error) as error:
        raise Unavailable(f"{folder / NAME} cannot be written: {error}") from error
    try:
        yield replayed
    finally:
        replayed.close()
        lock.close()
