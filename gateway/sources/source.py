"""What every system's module provides, and the few rules they share."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from gateway import strict_json, timestamps
from gateway.formats import is_uri
from gateway.model import Details, Document, Envelope, Origin, Problem, Subject
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources import groups
from gateway.sources.cloudevents import extensions

Pair = tuple[str, str]

# Headers in which senders repeat one id over the retries of one delivery, first match wins.
DELIVERY_ID_HEADERS = ("idempotency-key", "webhook-id", "x-webhook-id", "x-delivery-id")
_MAX_DELIVERY_ID = 256


@dataclass(frozen=True, slots=True)
class Control:
    """A message that is no event: it is answered, logged and counted, and never published.

    ``kind`` is one of its source's ``controls``. ``told`` is for whoever runs the gateway: what they may have
    to do about it, without secrets. ``asks``: it is kept for ``gateway confirmations``.
    """

    system: str
    kind: str
    told: str
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Disguise:
    """JSON under another media type, read as such only beside a header that says whose it is.

    ``header`` and ``media_type`` are in lower case. ``unwrap`` gives the JSON text in a body, and raises a
    Refusal.
    """

    header: str
    media_type: str
    unwrap: Callable[[bytes], bytes]


class Source(ABC):
    """One system: how to recognise its documents, which schema they obey, what they mean.

    Recognition is weaker than validation: it looks for marks, so that an almost right document is told what
    is wrong with it. All methods are pure and safe to call from several threads.
    """

    name: str
    title: str
    marks: str
    """In words, for refusals: what a document of this system looks like."""
    lenient_extensions: bool = False
    """Whether CloudEvents of this system may carry members with names CloudEvents does not allow."""
    header_marks: tuple[str, ...] = ()
    """Headers that only this system sends, in lower case: one of them decides, whatever the body is like."""
    body_marks: tuple[str, ...] | None = None
    """Members of a document of which ``recognise`` needs one at least; None: it is asked in any case."""
    headers_read: tuple[str, ...] = ()
    """Other headers it reads. These and the marks are kept in dead letters: no secret may be among them."""
    disguises: tuple[Disguise, ...] = ()
    group: tuple[str, ...] = ()
    """The members that lead to the array of events, where one document holds several."""
    controls: tuple[str, ...] = ()
    """Every kind of control message."""

    @classmethod
    def schema_files(cls) -> Mapping[str, bytes]:
        """Give the schema files that a package of its own brings, named as ``acme/event.schema.json``.

        Each has an ``$id`` that no other has. Those of the systems built in are in ``schemas/``.
        """
        return {}

    @classmethod
    def make(cls, settings: Settings, schemas: SchemaStore) -> Self:
        """Give the source as the settings want it."""
        return cls()

    @abstractmethod
    def pairs(self) -> frozenset[Pair]:
        """Every (subject type, predicate) this system can give from a closed list; each gets a topic."""

    @abstractmethod
    def recognise(self, document: Document) -> bool:
        """Whether the document bears this system's marks."""

    @abstractmethod
    def schema(self, document: Document) -> str:
        """Name the schema file for this document. Raises UnknownEventType, saying which are known."""

    @abstractmethod
    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Give the envelope of a document that is valid."""

    def schemas(self, files: Iterable[str], *, update: bool) -> Sequence[str]:
        """Choose among the store's files those that ``schema`` can name, for a first notice or an update.

        Here: all in the folder of the system's name, less those that others share.
        """
        return tuple(name for name in files if re.fullmatch(rf"{re.escape(self.name)}/[^/]+", name))

    def fold(self, data: Any) -> Any:
        """Give the data with the members that are compared without regard to case in lower case."""
        return data

    def check(self, document: Document) -> Sequence[Problem]:
        """List what a schema cannot say; called for invalid documents too, so nothing may be assumed."""
        return ()

    def control(self, document: Document) -> Control | None:
        """Give what a document is that is no event; called before it is checked, so assume nothing."""
        return None

    def remark(self, document: Document) -> Control | None:
        """Give what whoever runs the gateway should know of a valid document, beside its events."""
        return None

    def size(self, document: Document) -> int:
        """Count the events in a document, valid or not."""
        events = document.data
        for member in self.group:
            events = mapping(events).get(member)
        return len(events) if self.group and isinstance(events, list) else 1

    def split(self, document: Document) -> Iterable[Document]:
        """Give each event of a valid document as a document of its own: the whole, its array cut to one."""
        return groups.cut(document, self.group) if self.group else (document,)

    def envelope(
        self,
        document: Document,
        *,
        id: str,
        source: str,
        subject: Subject,
        predicate: str,
        time: str,
        origin: Origin,
        details: Details,
        open_ended: bool = False,
    ) -> Envelope:
        """Give the envelope of this meaning; what is the same for every system is filled in here."""
        return Envelope(
            id=id,
            source=source,
            subject=subject,
            predicate=predicate,
            time=time,
            received=timestamps.from_datetime(document.message.received),
            system=self.name,
            origin=origin,
            details=details,
            open_ended=open_ended,
            extensions=extensions(document.attributes),
        )


def identity(document: Document, source: str, *, dated: bool) -> tuple[str, str]:
    """Give source and id, the same for every delivery of one event, where the document has no id of its own.

    In this order: the CloudEvents source and id; a delivery-id header; a hash of the document when it is
    ``dated`` (it carries its own time, so equal documents are one event); a fresh id. The last three are
    unique within ``source``. Each event of a group has its place after the first two.
    """
    place = "" if document.place is None else f"/{document.place}"
    if document.attributes:
        return document.attributes["source"], document.attributes["id"] + place
    headers = document.message.headers
    for name in DELIVERY_ID_HEADERS:
        if value := headers.get(name, "").strip():
            return source, (value if len(value) <= _MAX_DELIVERY_ID else _digest(value)) + place
    if dated:
        return source, _digest([document.message.resource, document.data])
    return source, document.fresh_id


def _digest(value: Any) -> str:
    return hashlib.sha256(strict_json.canonical(value)).hexdigest()[:40]


def event_time(document: Document, *own: Any) -> str:
    """Give when it happened, in UTC: the first usable of the sender's times, else the time of arrival."""
    for value in own:
        if value is not None and value != "":
            return timestamps.from_loose(value)
    if document.attributes and (claimed := document.attributes.get("time")):
        return timestamps.from_loose(claimed)
    return timestamps.from_datetime(document.message.received)


def origin(
    document: Document, schema_id: str, *, id: str | None, type: str | None, source: str | None
) -> Origin:
    """Give the sender's own identity of the event; the CloudEvents attributes fill the gaps.

    ``schema`` is what the sender declared, else the schema that the document was found valid against.
    """
    attributes = document.attributes or {}
    return Origin(
        id=id or attributes.get("id"),
        type=type or attributes.get("type"),
        source=source or attributes.get("source"),
        schema=attributes.get("dataschema") or schema_id,
    )


def labels(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Give the labels that the sender filled: strings and numbers as text, everything else left out."""
    return {name: text for name, value in pairs if (text := text_of(value))}


def text_of(value: Any) -> str | None:
    """Give a string or number as text; ``None`` for anything else, and for the empty string."""
    if type(value) is str:
        return value or None
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is the integer 3 to JSON Schema
    return str(value) or None


def uri_of(value: Any) -> str | None:
    """Give an absolute URI as text; ``None`` for anything else, such as a bare ticket key."""
    text = text_of(value)
    return text if text and is_uri(text) else None


def first(*values: Any) -> str | None:
    """Give the first value that is text and not empty."""
    return next((text for value in values if (text := text_of(value))), None)


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def word(text: str) -> str:
    """Give a sender's own noun or verb as one word in lower case, everything between its letters as ``_``."""
    return re.sub(r"\W+", "_", text.strip().lower()) or "_"


def relative_source(*segments: str) -> str:
    """Give a URI-reference for a sender that names no source of its own, such as ``/ctoai/<team>``."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)
