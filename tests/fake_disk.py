"""A disk under the spool that hangs or refuses when a test says so."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.publishing.spool_file import SpoolFile


class FakeDisk:
    """Asked by every transaction before it begins and before it ends."""

    def __init__(self) -> None:
        self.refuses = 0.0  # how many it refuses
        self.but_writes = 0.0  # how many of those are written all the same, as by a sync that failed
        self.rng = random.Random(0)
        self._works = threading.Event()
        self._works.set()

    def hang(self) -> None:
        self._works.clear()

    def heal(self) -> None:
        self.refuses = 0.0
        self._works.set()

    @property
    def hangs(self) -> bool:
        return not self._works.is_set()

    def ask(self) -> None:
        self._works.wait(60)
        if self.rng.random() < self.refuses:
            raise sqlite3.OperationalError("disk I/O error")


def install(monkeypatch: pytest.MonkeyPatch) -> FakeDisk:
    """Put one under every spool of this process."""
    disk, original = FakeDisk(), SpoolFile.transaction

    @contextmanager
    def transaction(file: SpoolFile) -> Iterator[None]:
        disk.ask()
        late = disk.rng.random() < disk.but_writes
        with original(file):
            yield
            if not late:
                disk.ask()
        if late:
            disk.ask()

    monkeypatch.setattr(SpoolFile, "transaction", transaction)
    return disk
