"""Dead letters: what is refused, with the reason, as records of a topic of their own; written and read back.

Described by ``schemas/deadletter.schema.json``. Nothing here does I/O.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway import problems, strict_json, timestamps
from gateway.errors import GatewayError, Refusal
from gateway.model import Fault, Message, Record, StoredRecord
from gateway.routing import Router
from gateway.schemas import DEADLETTER, SchemaStore
from gateway.sources.source import DELIVERY_ID_HEADERS
from gateway.systems import UNKNOWN

VERSION = "1"
# What the gateway reads, or may tell, of any request; each source adds what it reads. The value of any other
# header may be a secret.
KEPT_HEADERS = frozenset({"content-type", *DELIVERY_ID_HEADERS, "user-agent", "traceparent", "tracestate"})
_CLOUDEVENTS = "ce-"
_UTF8, _GZIP = "utf-8", "gzip+base64"
# Bounds on everything but the body, so that a dead letter without one fits the smallest record.
_MOST_BYTES = 12_000
_MOST_NAMES = 100
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A request that was refused. ``whole`` says that nothing is missing that it takes to try it again."""

    record: Record
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A dead letter as it is read back; ``content`` is what to try again, None when that was too large."""

    id: str
    fault: Fault
    received: datetime
    system: str
    content: Message | Record | None


class DeadLetters:
    """Makes dead letters that are no larger than a record may be."""

    def __init__(
        self, router: Router, *, max_record_bytes: int, on: bool, headers: frozenset[str] = frozenset()
    ) -> None:
        """Nothing is made unless ``on``. ``headers`` are kept besides those that every request may have."""
        self._router = router
        self._max_record_bytes = max_record_bytes
        self._on = on
        self._kept = KEPT_HEADERS | headers

    def of_request(self, message: Message, error: GatewayError) -> DeadLetter | None:
        """Keep a request; None when dead letters are switched off."""
        if not self._on:
            return None
        headers, omitted = _divide(message.headers, self._kept)
        request: dict[str, Any] = {
            "system": message.system,
            "resource": message.resource,
            "update": message.update,
            "headers": headers,
            "omittedHeaders": omitted,
        }
        if message.systems is not None:  # a replay must not do for a principal what it may not do itself
            request |= {"principal": message.principal, "systems": sorted(message.systems)}
        if message.source is not None:
            request["source"] = message.source
        received = timestamps.from_datetime(message.received)
        head = _head(error, error.fault, message.id, received, system_of(message, error))
        for body in _forms("body", message.body):
            record = self._record(head | {"request": request | body})
            if record.size <= self._max_record_bytes:
                return DeadLetter(record, whole=not any(_is_kept(name, self._kept) for name in omitted))
        digest = hashlib.sha256(message.body).hexdigest()
        gone = {"body": None, "bodyBytes": len(message.body), "bodySha256": digest}
        return DeadLetter(self._record(head | {"request": request | gone}), whole=False)

    def of_record(self, record: Record, error: GatewayError) -> Record | None:
        """Keep a record that Kafka refuses after its sender was told that it is safe.

        None when it must stay where it is: dead letters are switched off, this one is too large to be kept
        whole, or it is a dead letter itself.
        """
        if not self._on or record.topic == self._router.dead_letter_topic:
            return None
        envelope = _envelope(record.value)
        received = envelope.get("receivedTime") or timestamps.from_datetime(datetime.now(UTC))
        id, system = _digest(record), envelope.get("system", UNKNOWN)
        head = _head(error, Fault.BROKER, id, received, system)
        outside = {
            "topic": record.topic,
            "key": record.key.decode(),
            "headers": {name: value.decode() for name, value in record.headers},
        }
        for value in _forms("value", record.value):
            letter = self._record(head | {"record": outside | value})
            if letter.size <= self._max_record_bytes:
                return letter
        return None

    def _record(self, content: Mapping[str, Any]) -> Record:
        value = strict_json.dump(content)
        return self._router.dead_letter(content["requestId"], content["receivedTime"], value)


def read(stored: StoredRecord, schemas: SchemaStore, headers: frozenset[str] = frozenset()) -> Kept:
    """Read a dead letter back; ``headers`` as it was made with. Raises ValueError when it is none."""
    try:
        letter = _inner(strict_json.parse(stored.value))
    except Refusal as refusal:
        raise ValueError(refusal.detail) from None
    if problems_found := schemas.check(DEADLETTER, letter):
        raise ValueError(f"{problems_found[0].pointer}: {problems_found[0].message}")
    received = datetime.fromisoformat(letter["receivedTime"])
    return Kept(
        id=letter["requestId"],
        fault=Fault(letter["class"]),
        received=received,
        system=letter["system"],
        content=_record_of(letter["record"])
        if "record" in letter
        else _message_of(letter["request"], letter["requestId"], received, KEPT_HEADERS | headers),
    )


def system_of(message: Message, error: GatewayError) -> str:
    """Give the system of the path, else the only one that was recognised."""
    return message.system or (error.systems[0] if len(set(error.systems)) == 1 else UNKNOWN)


def _head(error: GatewayError, fault: Fault, id: str, received: str, system: str) -> dict[str, Any]:
    problem = problems.document(error, id)
    told = problem["errors"]
    errors = _first(told)
    omitted = {"omittedErrors": len(told) - len(errors)} if len(errors) < len(told) else {}
    return {
        "version": VERSION,
        "class": fault.value,
        "requestId": id,
        "receivedTime": received,
        "system": system,
        "problem": problem | {"errors": errors},
    } | omitted


def _divide(headers: Mapping[str, str], wanted: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """Give the headers that are kept, and the names of the others: first those that should have been kept."""
    short = (item for item in headers.items() if len(item[0]) <= _LONGEST_NAME)
    kept = dict(_first(item for item in short if _is_kept(item[0], wanted)))
    left = (name for name in headers if name not in kept)
    others = sorted(left, key=lambda name: not _is_kept(name, wanted))
    return kept, [name[:_LONGEST_NAME] for name in others[:_MOST_NAMES]]


def _is_kept(name: str, wanted: frozenset[str]) -> bool:
    return name in wanted or name.startswith(_CLOUDEVENTS)


def _first(items: Iterable[Any]) -> list[Any]:
    """Give as many as fit the bound."""
    fitting: list[Any] = []
    room = _MOST_BYTES
    for item in items:
        room -= len(strict_json.dump(item))
        if room < 0:
            break
        fitting.append(item)
    return fitting


def _forms(name: str, content: bytes) -> Iterator[dict[str, str]]:
    """Give the members that hold some bytes, best to read first."""
    with suppress(UnicodeDecodeError):
        yield {name: content.decode(), f"{name}Encoding": _UTF8}
    packed = base64.b64encode(gzip.compress(content, compresslevel=1, mtime=0))
    yield {name: packed.decode(), f"{name}Encoding": _GZIP}


def _bytes(text: str, encoding: str) -> bytes:
    """Raises ValueError."""
    if encoding == _UTF8:
        return text.encode()
    try:
        return gzip.decompress(base64.b64decode(text, validate=True))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"not {_GZIP}: {error}") from None


def _inner(document: Any) -> Any:
    """Give the data of a structured CloudEvent, and anything else as it is."""
    return document.get("data", document) if isinstance(document, dict) else document


def _envelope(value: bytes) -> Mapping[str, Any]:
    try:
        envelope = _inner(strict_json.parse(value))
    except Refusal:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _digest(record: Record) -> str:
    headers = strict_json.dump([(name, value.decode()) for name, value in record.headers])
    parts = (record.topic.encode(), record.key, headers, record.value)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:40]


def _message_of(
    request: Mapping[str, Any], id: str, received: datetime, wanted: frozenset[str]
) -> Message | None:
    if request["body"] is None or any(_is_kept(name, wanted) for name in request["omittedHeaders"]):
        return None
    return Message(
        headers=request["headers"],
        body=_bytes(request["body"], request["bodyEncoding"]),
        id=id,
        received=received,
        system=request["system"],
        resource=request["resource"],
        update=request["update"],
        principal=request.get("principal"),
        systems=frozenset(request["systems"]) if "systems" in request else None,
        source=request.get("source"),
    )


def _record_of(record: Mapping[str, Any]) -> Record:
    return Record(
        topic=record["topic"],
        key=record["key"].encode(),
        value=_bytes(record["value"], record["valueEncoding"]),
        headers=tuple((name, value.encode()) for name, value in record["headers"].items()),
    )
