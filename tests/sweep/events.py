"""Numbered events: good ones, invalid ones, and good ones that are too large for Kafka."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.samples import detected

SOURCE = "/sweep"
PREDICATES = ("detected", "resolved")
TOPICS = {predicate: f"events.incident.{predicate}" for predicate in PREDICATES}
DEAD_LETTERS = "events.deadletter"
# An event's id is its unique text: it is found again wherever the event was kept.
ID = re.compile(rb"sweep-\d{8}")


class Kind(StrEnum):
    GOOD = "good"
    INVALID = "invalid"
    LARGE = "large"  # for its topic
    HUGE = "huge"  # for the dead letters, too


# Bytes in such an event that cannot be compressed.
NOISE = {Kind.LARGE: 30_000, Kind.HUGE: 80_000}


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    number: int
    predicate: str
    key: str
    kind: Kind = Kind.GOOD

    @property
    def id(self) -> str:
        return f"sweep-{self.number:08d}"

    @property
    def topic(self) -> str:
        return TOPICS[self.predicate]

    @property
    def body(self) -> bytes:
        """The request body; the same on every call."""
        body = json.dumps(self._document()).encode()
        if self.kind is Kind.INVALID:
            return random.Random(self.number).choice(_BENT)(body)
        return body

    def _document(self) -> dict[str, Any]:
        version = f"dev.cdevents.incident.{self.predicate}.0.3.0"
        content: dict[str, Any] = {"environment": {"id": "production"}}
        if size := NOISE.get(self.kind):
            noise = random.Random(self.number).randbytes(size)
            content["description"] = base64.b64encode(noise).decode()
        document = detected(id=self.id, source=SOURCE, type=version)
        return document | {"subject": {"id": self.key, "content": content}}


# Each makes a good body invalid in another way, and leaves the id in it.
_BENT: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: body[:-1],
    lambda body: b'{"context": {}, ' + body[1:],
    lambda body: body.replace(b'"subject": ', b'"object": '),
    lambda body: body.replace(b".0.3.0", b".9.9.9"),
    lambda body: body.replace(b"2026-02-03T", b"2026-02-30T"),
    lambda body: body.replace(b'"production"', b"NaN"),
    lambda body: body.replace(b"production", b"\xff"),
)


@dataclass(frozen=True, slots=True)
class Mix:
    """What the clients post. Each owns some keys, and posts the events of a key in order, one at a time."""

    clients: int = 8
    keys: int = 4
    pause: float = 0.025
    invalid_every: int = 20
    large_every: int = 0
    huge_every: int = 0

    def event(self, number: int, client: int) -> Event:
        key = random.Random(number).randrange(self.keys)
        predicate = PREDICATES[key % len(PREDICATES)]
        name = f"client-{client}-key-{key}"
        if number % self.invalid_every == self.invalid_every - 1:
            return Event(number, predicate, name, Kind.INVALID)
        if self.huge_every and number % self.huge_every == 0:
            return Event(number, predicate, name, Kind.HUGE)
        if self.large_every and number % self.large_every == 0:
            return Event(number, predicate, name, Kind.LARGE)
        return Event(number, predicate, name)
