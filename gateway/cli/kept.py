"""Where ``gateway replay`` finds what to publish: the dead letters, or the spool of a gateway that ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from gateway import dead_letters
from gateway.app import Gateway
from gateway.cli import stored
from gateway.cli.again import Item, Tally
from gateway.cli.replayed import Replayed
from gateway.dead_letters import Kept
from gateway.errors import Unavailable
from gateway.model import StoredRecord
from gateway.publishing import database, spool_file
from gateway.publishing.spool_file import Row, SpoolFile
from gateway.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of all that is kept; None leaves a choice open."""

    fault: str | None = None
    system: str | None = None
    request: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def has(self, kept: Kept) -> bool:
        """Whether a dead letter is meant."""
        named = {(self.fault, kept.fault.value), (self.system, kept.system), (self.request, kept.id)}
        return all(want in (None, have) for want, have in named) and self.has_time(kept.received)

    def has_time(self, received: datetime) -> bool:
        """Whether what was received then is meant."""
        too_early = self.since is not None and received < self.since
        too_late = self.until is not None and received >= self.until
        return not (too_early or too_late)


class Letters:
    """The dead letters that are there now. They are read twice, so that not all are held in memory."""

    def __init__(
        self, settings: Settings, gateway: Gateway, wanted: Wanted, replayed: Replayed, *, repeat: bool
    ) -> None:
        """``repeat`` means also those that were replayed before."""
        self._settings = settings
        self._topic = gateway.router.dead_letter_topic
        self._schemas = gateway.schemas
        self._headers = gateway.pipeline.sources.headers_read
        self._wanted = wanted
        self._replayed = replayed
        self._repeat = repeat
        self._places: set[tuple[int, int]] = set()

    def find(self, tally: Tally) -> int:
        """Count what there is to replay. Raises Unavailable."""
        ids = set()
        for letter in self._read():
            tally.read += 1
            try:
                kept = dead_letters.read(letter, self._schemas, self._headers)
            except ValueError as error:
                click.echo(f"{_place(letter)}: no dead letter: {error}")
                continue
            if self._wanted.has(kept):
                tally.matched += 1
                if kept.id in ids or (self._replayed.has(self._topic, kept.id) and not self._repeat):
                    tally.already += 1
                else:
                    self._places.add((letter.partition, letter.offset))
                ids.add(kept.id)
        return len(self._places)

    def items(self) -> Iterator[Item]:
        """Give what was found."""
        for letter in self._read() if self._places else ():
            if (letter.partition, letter.offset) in self._places:
                kept = dead_letters.read(letter, self._schemas, self._headers)
                done = partial(self._replayed.add, self._topic, kept.id)
                yield Item(_place(letter), kept.fault.value, kept.content, done)

    def _read(self) -> Iterator[StoredRecord]:
        for record in stored.records(self._settings, self._topic, from_start=True):
            if record is None:
                return
            yield record


class Rows:
    """The rows of spool files that nobody else holds: those that wait, then those that were parked."""

    def __init__(self, files: Sequence[SpoolFile], wanted: Wanted) -> None:
        self._files = files
        self._wanted = wanted

    def find(self, tally: Tally) -> int:
        """Count what there is to replay. Raises database.Error."""
        for _, row in self._read():
            tally.read += 1
            tally.matched += self._is_wanted(row)
        return tally.matched

    def items(self) -> Iterator[Item]:
        """Give what was found. A damaged row has no content."""
        for file, row in self._read():
            if self._is_wanted(row):
                content = None if row.parked == spool_file.DAMAGED else row.record
                done = partial(file.delete, [row.id])
                yield Item(f"{file.path.name}/{row.id}", row.parked or "waiting", content, done)

    def _read(self) -> Iterator[tuple[SpoolFile, Row]]:
        for file in self._files:
            for parked in (False, True):
                yield from ((file, row) for row in file.rows(parked=parked))

    def _is_wanted(self, row: Row) -> bool:
        return self._wanted.has_time(datetime.fromtimestamp(row.received / 1_000, UTC))


@contextmanager
def stopped_files(folder: Path) -> Iterator[list[SpoolFile]]:
    """Hold the spool files that no running gateway holds; the others are told. Raises Unavailable."""
    try:
        with spool_file.stopped(folder) as files:
            held = {path.name for path in spool_file.files(folder)} - {file.path.name for file in files}
            for name in sorted(held):
                click.echo(f"{name} belongs to a running gateway, which sends it itself", err=True)
            yield files
    except (OSError, database.Error) as error:
        raise Unavailable(f"the spool in {folder} cannot be read: {error}") from error


def _place(letter: StoredRecord) -> str:
    return f"{letter.topic}/{letter.partition}/{letter.offset}"
