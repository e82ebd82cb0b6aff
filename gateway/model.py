"""The values that cross the boundaries between the parts, all frozen, and what a publisher is.

An event travels ``Message`` -> ``Document`` -> ``Envelope`` -> ``Record`` -> ``Placement``; an ``Event`` is
what is remembered of it beside its record, a ``Receipt`` an event with its placement.

What is made for every event, or written as JSON, is a ``Struct``: a frozen dataclass takes five times as long
to make. ``msgspec.structs.replace`` changes one. The garbage collector passes them by: none is in a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from gateway.haste import NO_HASTE, Haste
from gateway.promises import Promise


class Outcome(StrEnum):
    """How an event ended. Every event ends in exactly one of these and is counted once."""

    PUBLISHED = "published"
    SPOOLED = "spooled"
    REJECTED = "rejected"
    FAILED = "failed"


class Fault(StrEnum):
    """Whose fault it is, and so whether to try a kept refusal again: the ``class`` of a dead letter."""

    SENDER = "sender"
    MAPPING = "mapping"  # a good document that this gateway cannot map, or bounds too closely
    BROKER = "broker"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with what the sender sent; they sort by their place in the document.

    ``pointer`` is a JSON Pointer (RFC 6901) into the request body; empty means the whole body or its
    headers. ``keyword`` is the JSON Schema keyword or the rule that was broken.
    """

    pointer: str
    keyword: str
    message: str


class Message(Struct, frozen=True, kw_only=True):
    """A request as it came through a door: headers with lower-case names, the body untouched.

    ``system`` is the system pinned by the path, ``resource`` an id given by the path, ``update`` tells a
    change of something known (PUT, PATCH) from a first notice. ``id`` is the request's own fresh id.
    ``principal`` is who sent it, as its credential proves, and ``systems`` those it may send events of: None
    for any, where nobody has to prove anything. ``source`` is what its events come from, where that was set.
    """

    headers: Mapping[str, str]
    body: bytes
    id: str
    received: datetime
    system: str | None = None
    resource: str | None = None
    update: bool = False
    principal: str | None = None
    systems: frozenset[str] | None = None
    source: str | None = None


class Document(Struct, frozen=True, kw_only=True, gc=False):
    """One sender's document, unwrapped: what the sources recognise, check and normalise.

    ``data`` is the document, parsed; it is not to be changed. ``payload`` is what ``strict_json.dump`` writes
    it from as it was sent, digit for digit, less the white space between its tokens: often ``data`` itself.
    ``attributes`` are the CloudEvents context attributes it came with, ``None`` for plain JSON. ``pointer``
    is where the document lies in the body, to begin the pointers of its problems with. ``fresh_id`` is an id
    to use when the sender gave none. ``place`` is the event's in the group that came as one document.
    """

    data: Any
    payload: Any
    message: Message
    attributes: Mapping[str, str] | None = None
    pointer: str = ""
    fresh_id: str = ""
    place: int | None = None


class Reference(Struct, frozen=True, omit_defaults=True, gc=False):
    """Something named by an id, unique within an optional source."""

    id: str
    source: str | None = None


class Subject(Struct, frozen=True, omit_defaults=True, gc=False):
    """What an event is about: a noun, and which one."""

    type: str
    id: str
    source: str | None = None


class Origin(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The event's identity in the sender's own words; ``None`` where the sender gave nothing."""

    id: str | None = None
    type: str | None = None
    source: str | None = None
    schema: str | None = None


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """The fields that many senders share, where this sender gave them."""

    description: str | None = None
    environment: Reference | None = None
    service: Reference | None = None
    artifact_id: str | None = None
    ticket_uri: str | None = None
    severity: str | None = None
    priority: str | None = None
    outcome: str | None = None
    actor: str | None = None
    url: str | None = None
    labels: Mapping[str, str] = {}


class Envelope(Struct, frozen=True, kw_only=True, gc=False):
    """The one shape of every event, whoever sent it; its JSON form is ``schemas/envelope.schema.json``.

    The payload is not here but in the document.
    ``time`` and ``received`` are RFC 3339 in UTC. ``open_ended`` says that the predicate did not come from
    the source's closed list, so the event has no topic of its own. ``extensions`` are CloudEvents extension
    attributes to hand on.
    """

    id: str
    source: str
    subject: Subject
    predicate: str
    time: str
    received: str
    system: str
    origin: Origin
    details: Details
    open_ended: bool = False
    extensions: dict[str, str] = {}


class Record(Struct, frozen=True, kw_only=True, gc=False):
    """What is published: a Kafka record.

    ``source`` and ``id`` tell the event apart from all others, as CloudEvents has it; empty in a record that
    was read back. ``size`` is the bytes of key, value and headers together, as counted against memory and
    disk bounds: counted here unless it is given, so 0 is to be given with a change of any of them.
    """

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    source: str = ""
    id: str = ""
    size: int = 0

    @property
    def lane(self) -> tuple[str, bytes]:
        """What keeps its order: one key in one topic."""
        return self.topic, self.key

    def __post_init__(self) -> None:
        """Count it once: it is asked for at every step."""
        if self.size:
            return
        size = len(self.key) + len(self.value) + sum(map(len, chain.from_iterable(self.headers)))
        force_setattr(self, "size", size)


class Event(Struct, frozen=True, gc=False):
    """One event, ready to be published, with no more of its envelope than what is asked for afterwards."""

    record: Record
    system: str
    subject: Subject
    predicate: str


class Placement(Struct, frozen=True, gc=False):
    """Where a record came to lie; a spooled record has no partition or offset yet.

    ``duplicate``: the event was taken before, and this is where it came to lie then.
    """

    outcome: Outcome
    partition: int | None = None
    offset: int | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as it is read back; ``timestamp`` is milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Receipt(Struct, frozen=True, gc=False):
    """The answer to the sender for one event."""

    event: Event
    placement: Placement


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an event would be taken now, and what stands in the way (no secrets, no addresses).

    ``spooled`` counts the records that wait for Kafka.
    """

    ready: bool
    status: str
    missing_topics: tuple[str, ...] = ()
    spooled: int = 0


class Publisher(Protocol):
    """Something that makes records durable. One contract suite runs over every implementation."""

    def start(self) -> None:
        """Begin work in this process (after a fork). Must not block and must not need a live broker."""

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        """Take records, in order, and answer as their sender's haste demands. Must not block.

        The promise gives one placement a record, in order, once all are durable; or raises ``Unavailable``,
        which means *unknown*: any of them may have been written, and sending again is safe.
        """

    def healthy(self) -> Health:
        """Say whether a record would be taken now, from what is already known (no I/O)."""

    def close(self) -> None:
        """Finish what was taken within a bounded time, then stop. Idempotent."""
