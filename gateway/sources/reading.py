"""From a request to documents: CloudEvents in their three HTTP modes, else plain JSON.

Source: CloudEvents 1.0.2, HTTP protocol binding sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from gateway import strict_json
from gateway.errors import (
    InvalidCloudEvent,
    Refusal,
    TooLarge,
    UnsupportedCharset,
    UnsupportedMediaType,
)
from gateway.model import Document, Message, Problem
from gateway.schemas import SchemaStore
from gateway.sources import cloudevents
from gateway.sources.source import Disguise

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_MOST_READ_AGAIN = 1_048_576  # bytes
_BATCH = "application/cloudevents-batch"
_JSON_HINT = "send it with the header 'Content-Type: application/json'"


class Reading(NamedTuple):
    """What a request holds, in the order sent: documents, and refusals of members that cannot be read.

    The members are read as they are asked for, once. Asking raises a Refusal of all of them where one is no
    JSON.
    """

    members: Iterable[Document | Refusal]
    events: int = 1
    batched: bool = False


class Reader:
    """Tells the content modes apart and unwraps each."""

    def __init__(
        self,
        schemas: SchemaStore,
        max_batch_events: int,
        lenient_systems: frozenset[str],
        disguises: Sequence[tuple[str, Disguise]] = (),
    ) -> None:
        """Take the limit on a batch, and the systems whose CloudEvents may have illegal extension names.

        ``disguises`` are what else is read as JSON, each with its system.
        """
        self._disguises = disguises
        self._schemas = schemas
        self._max_batch_events = max_batch_events
        self._lenient_systems = lenient_systems

    def read(self, message: Message) -> Reading:
        """Unwrap a request. Raises a Refusal when the request as a whole cannot be read.

        In batched mode a bad member does not raise; its refusal takes its place.
        """
        media_type = _declared(message.headers.get("content-type", ""))
        if media_type == BATCHED:
            return self._batch(message)
        if media_type.startswith("application/cloudevents"):
            _require(media_type, BATCHED if media_type.startswith(_BATCH) else STRUCTURED)
            event, as_written = strict_json.read(message.body)
            document = self._structured(message, message.body, event, as_written, "", message.id)
            return Reading((document,))
        if any(name.startswith("ce-") for name in message.headers):
            return Reading((self._binary(message),))
        return Reading((self._plain(message, media_type),))

    def _batch(self, message: Message) -> Reading:
        texts = strict_json.cut(message.body)
        if texts is None:
            problem = Problem("", "type", "a batch is a JSON array of CloudEvents")
            raise InvalidCloudEvent("a batch is a JSON array of CloudEvents", [problem])
        if len(texts) > self._max_batch_events:
            told = f"a batch holds {self._max_batch_events} events at most, this one {len(texts)}"
            too_large = TooLarge(told, [Problem("", "size", told)])
            too_large.systems *= len(texts)
            raise too_large
        return Reading(self._members(message, texts), events=len(texts), batched=True)

    def _members(self, message: Message, texts: Iterable[bytes]) -> Iterator[Document | Refusal]:
        document: Document | Refusal
        for index, view in enumerate(texts):
            pointer, text = f"/{index}", bytes(view)
            try:
                event, as_written = strict_json.read(text, pointer, above=1)
            except Refusal as refusal:
                raise _batch_fault(message.body, refusal) from None
            try:
                document = self._structured(
                    message, text, event, as_written, pointer, f"{message.id}-{index}"
                )
            except Refusal as refusal:
                document = refusal
            yield document

    def _structured(
        self, message: Message, text: bytes, event: Any, as_written: bool, pointer: str, fresh_id: str
    ) -> Document:
        lenient = message.system in self._lenient_systems
        attributes = cloudevents.structured_attributes(event, self._schemas, pointer, lenient=lenient)
        member = cloudevents.data_member(event, attributes, pointer)
        pointer = f"{pointer}/{member}"
        if member == "data_base64":
            return _document(message, cloudevents.decoded(event, pointer), attributes, pointer, fresh_id)
        data = event["data"]
        return Document(
            data=data,
            payload=data if as_written else _untouched(strict_json.members(text)["data"]),
            message=message,
            attributes=attributes,
            pointer=pointer,
            fresh_id=fresh_id,
        )

    def _binary(self, message: Message) -> Document:
        attributes = cloudevents.binary_attributes(message.headers, self._schemas)
        _require_json(attributes.get("datacontenttype", ""), "a CloudEvent's data")
        return _document(message, message.body, attributes, "", message.id)

    def _plain(self, message: Message, media_type: str) -> Document:
        """A header that says whose it is decides before the media type is refused."""
        for system, disguise in self._disguises:
            worn = disguise.media_type == media_type and disguise.header in message.headers
            if worn and message.system in (None, system):
                return _document(message, disguise.unwrap(message.body), None, "", message.id)
        return _plain(message)


def _document(
    message: Message, text: bytes, attributes: dict[str, str] | None, pointer: str, fresh_id: str
) -> Document:
    data, as_written = strict_json.read(text, pointer)
    return Document(
        data=data,
        payload=data if as_written else _untouched(text),
        message=message,
        attributes=attributes,
        pointer=pointer,
        fresh_id=fresh_id,
    )


def _untouched(text: bytes) -> Any:
    return strict_json.verbatim(strict_json.compact(text))


def _batch_fault(body: bytes, refusal: Refusal) -> Refusal:
    """A member that is no JSON makes the whole body none; of a huge one only that member is told."""
    try:
        if len(body) <= _MOST_READ_AGAIN:
            strict_json.parse(body)
    except Refusal as whole:
        return whole
    return refusal


def _plain(message: Message) -> Document:
    _require_json(message.headers.get("content-type", ""), "the body")
    document = _document(message, message.body, None, "", message.id)
    if isinstance(document.data, dict) and {"specversion", "source", "type"} <= document.data.keys():
        problem = Problem("", "content-type", f"send a structured CloudEvent as {STRUCTURED}")
        raise UnsupportedMediaType(
            f"this looks like a structured CloudEvent; send it with 'Content-Type: {STRUCTURED}'",
            [problem],
        )
    return document


@lru_cache(maxsize=64)  # most senders send one
def _declared(content_type: str) -> str:
    """Give the media type, in lower case. Raises UnsupportedCharset."""
    _require_utf8(content_type)
    return _media_type(content_type)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _require(media_type: str, supported: str) -> None:
    if media_type != supported:
        raise UnsupportedMediaType(
            f"of the CloudEvents formats only JSON is read: {supported}",
            [Problem("", "content-type", f"must be {supported}")],
        )


def _require_json(content_type: str, what: str) -> None:
    media_type = _media_type(content_type)
    if not cloudevents.is_json(media_type):
        named = media_type[:60] or "no content type"
        raise UnsupportedMediaType(
            f"{what} must be JSON, not {named}; {_JSON_HINT}",
            [Problem("", "content-type", f"{named} is not JSON; {_JSON_HINT}")],
        )


def _require_utf8(content_type: str) -> None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in (
            "utf-8",
            "utf8",
        ):
            problem = Problem("", "content-type", "the charset must be utf-8")
            raise UnsupportedCharset("JSON is read as UTF-8 only", [problem])
