"""Taking kept requests and records up again, one after the other: the work of ``gateway replay``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from gateway import app
from gateway.app import Gateway
from gateway.errors import Failure, InternalError, Refusal, Unavailable
from gateway.model import Message, Publisher, Record
from gateway.pipeline import Pipeline
from gateway.publishing import database
from gateway.settings import Settings

_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_KAFKA_BUDGET_MS = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """Something kept. ``reason`` says why it is, ``done`` is called once it is published.

    ``content`` is None when it was too large to be kept whole, or is damaged.
    """

    place: str
    reason: str
    content: Message | Record | None
    done: Callable[[], None]


@dataclass(slots=True)
class Tally:
    """What became of all that was read."""

    read: int = 0
    matched: int = 0
    published: int = 0
    refused: int = 0
    already: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything that matched is published, now or before."""
        return self.published + self.already == self.matched

    def told(self, *, dry_run: bool) -> str:
        """Give the last line of a replay."""
        published = "would be published" if dry_run else "published"
        return (
            f"read {self.read}, matched {self.matched}, {published} {self.published}, "
            f"refused again {self.refused}, already replayed {self.already}"
        )


def take_all(gateway: Gateway, items: Iterable[Item], number: int, tally: Tally, *, dry_run: bool) -> None:
    """Publish every item, or only say where it would go; what is refused again is told and stays.

    No dead letter is made of it. Raises a Failure when nothing can be published.
    """
    if number and not dry_run:
        gateway.publisher.start()
    with click.progressbar(
        length=number, label="replay", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for item in items:
            try:
                records = _prepare(gateway.pipeline, item)
                if not dry_run:
                    _publish(gateway.publisher, records)
            except _NotTaken as reason:
                tally.refused += 1
                _tell(f"{item.place}: {item.reason} {reason}")
            else:
                tally.published += 1
                if dry_run:
                    topics = dict.fromkeys(record.topic for record in records)
                    _tell(f"{item.place}: {item.reason} -> {', '.join(topics) or 'no events'}")
                else:
                    _note(item)
            bar.update(1)


@contextmanager
def gateway_for_replay(chosen: Settings) -> Iterator[Gateway]:
    """Give a gateway for which published means on Kafka, and which forgets what it published."""
    changes = {"ack": "broker", "ack_budget_ms": _KAFKA_BUDGET_MS, "duplicate_window_seconds": 0}
    gateway = app.build(chosen.model_copy(update=changes))
    try:
        yield gateway
    finally:
        gateway.publisher.close()


class _NotTaken(Exception):
    """Its text is the type of the problem, and what the problem is."""


def _prepare(pipeline: Pipeline, item: Item) -> list[Record]:
    if isinstance(item.content, Record):
        return [item.content]
    if item.content is None:
        raise _NotTaken("not-whole: what is left of it cannot be published")
    try:
        return [event.record for event in pipeline.prepare(item.content).events]
    except Refusal as refusal:
        raise _NotTaken(f"{refusal.type}: {refusal.detail}") from None
    except Exception as error:
        raise _NotTaken(f"{InternalError.type}: {type(error).__name__}: {error}") from error


def _publish(publisher: Publisher, records: list[Record]) -> None:
    """Wait until Kafka has the records; while it is away, long enough for it to come back."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            publisher.publish(records).result()
            return
        except Refusal as refusal:
            raise _NotTaken(f"{refusal.type}: {refusal.detail}") from None
        except Failure:
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE_SECONDS)


def _note(item: Item) -> None:
    try:
        item.done()
    except (OSError, database.Error) as error:
        raise Unavailable(f"{item.place} is published, which cannot be noted: {error}") from error


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)  # over the progress bar
    click.echo(line)
