"""Where an envelope goes: its topic from the declared table, its key, and its CloudEvents form on Kafka.

Source: CloudEvents 1.0.2, Kafka protocol binding sections 3.1 to 3.3. The one door to the CloudEvents SDK.
The SDK takes more time for the headers than all the rest of an event's path does, so it writes the dead
letters, and events are written here; a test holds the two to the same headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from gateway import envelope as envelopes
from gateway import strict_json
from gateway.model import Envelope, Record

CUSTOM = "custom"
DEAD_LETTER = "deadletter"
_OWN_SOURCE = "/gateway"  # of the CloudEvents that the gateway itself is the sender of
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)  # Kafka's own rule for a topic's name
_JSON = "application/json"
_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", _JSON.encode())

Headers = tuple[tuple[str, bytes], ...]
Written = tuple[Headers, bytes]  # headers and value

_NAMES = (
    "ce_id ce_source ce_type ce_subject ce_time ce_dataschema ce_specversion content-type ce_partitionkey"
)


@dataclass(frozen=True, slots=True)
class Naming:
    """How topics and CloudEvents types are named, from the settings."""

    prefix: str
    template: str
    type_prefix: str
    structured: bool
    dataschema: str
    dead_letter_schema: str


class Router:
    """Topics come only from the table made here at start, never from a sender's text."""

    def __init__(
        self, pairs: Iterable[tuple[str, str]], naming: Naming, *, dead_letters: bool = True
    ) -> None:
        """Declare a topic for every (subject, predicate). Raises ValueError for a name Kafka would refuse.

        The topic of the dead letters is declared when they are on.
        """
        self._naming = naming
        self._dataschema = ("ce_dataschema", naming.dataschema.encode())
        self._custom = f"{naming.prefix}.{CUSTOM}"
        self.dead_letter_topic = f"{naming.prefix}.{DEAD_LETTER}"
        self._more = {self._custom, self.dead_letter_topic} if dead_letters else {self._custom}
        self._topics = {
            (subject, predicate): naming.template.format(
                prefix=naming.prefix, subject=subject, predicate=predicate
            )
            for subject, predicate in sorted(pairs)
        }
        self._types = {pair: self.type(".".join(pair)).encode() for pair in self._topics}
        same = (self._dataschema, _SPECVERSION, _CONTENT_TYPE)
        self._fixed = len("".join(_NAMES.split())) + sum(len(value) for _, value in same)
        for topic in self.topics():
            if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
                raise ValueError(f"{topic!r} cannot be the name of a Kafka topic")

    def topics(self) -> tuple[str, ...]:
        """Every topic that a record can go to, sorted."""
        return tuple(sorted({*self._topics.values(), *self._more}))

    @property
    def table(self) -> Mapping[tuple[str, str], str]:
        """The topic of every declared (subject, predicate)."""
        return self._topics

    @property
    def custom_topic(self) -> str:
        """Where what has no topic of its own goes."""
        return self._custom

    def type(self, meaning: str) -> str:
        """Give the CloudEvents type of ``<subject>.<predicate>``, or of the dead letters."""
        version = "1" if meaning == DEAD_LETTER else envelopes.VERSION
        return f"{self._naming.type_prefix}.{meaning}.v{version}"

    def route(self, envelope: Envelope, payload: Any) -> Record:
        """Give the record: topic by subject and predicate, key by subject, value envelope and payload."""
        subject, pair = envelope.subject, (envelope.subject.type, envelope.predicate)
        topic = self._custom if envelope.open_ended else self._topics.get(pair, self._custom)
        type = self._types.get(pair) or self.type(f"{subject.type}.{envelope.predicate}").encode()
        key = f"{subject.type}/{subject.id}".encode()
        value = envelopes.to_json(envelope, payload)
        if self._naming.structured:
            headers, value = self._structured(envelope, type.decode(), key.decode(), value)
            size = 0
        else:
            headers, size = self._binary(envelope, type, key)
        return Record(
            topic=topic,
            key=key,
            value=value,
            headers=headers,
            source=envelope.source,
            id=envelope.id,
            size=size and size + len(key) + len(value),
        )

    def dead_letter(self, id: str, received: str, value: bytes) -> Record:
        """Give the record of a dead letter; ``received`` is RFC 3339 in UTC, ``value`` its JSON."""
        key = f"{DEAD_LETTER}/{id}"
        attributes = {
            "id": id,
            "source": _OWN_SOURCE,
            "type": self.type(DEAD_LETTER),
            "subject": id,
            "time": received,
            "dataschema": self._naming.dead_letter_schema,
            "specversion": "1.0",
            "datacontenttype": _JSON,
            "partitionkey": key,
        }
        headers, value = (structured if self._naming.structured else binary)(attributes, value)
        return Record(
            topic=self.dead_letter_topic,
            key=key.encode(),
            value=value,
            headers=headers,
            source=_OWN_SOURCE,
            id=id,
        )

    def _binary(self, envelope: Envelope, type: bytes, key: bytes) -> tuple[Headers, int]:
        """As ``binary`` writes them, of which the tests make sure; and their size, or 0 for not counted."""
        id, source = envelope.id.encode(), envelope.source.encode()
        subject, time = envelope.subject.id.encode(), envelope.time.encode()
        headers: Headers = (
            ("ce_id", id),
            ("ce_source", source),
            ("ce_type", type),
            ("ce_subject", subject),
            ("ce_time", time),
            self._dataschema,
            _SPECVERSION,
            _CONTENT_TYPE,
            ("ce_partitionkey", key),
        )
        if more := envelope.extensions:
            headers += tuple((f"ce_{n}", text.encode()) for n, text in more.items() if n != "partitionkey")
            return headers, 0
        return headers, self._fixed + len(id) + len(source) + len(type) + len(subject) + len(time) + len(key)

    def _structured(self, envelope: Envelope, type: str, key: str, value: bytes) -> Written:
        own = {
            "id": envelope.id,
            "source": envelope.source,
            "type": type,
            "subject": envelope.subject.id,
            "time": envelope.time,
            "dataschema": self._naming.dataschema,
            "specversion": "1.0",
            "datacontenttype": _JSON,
            "partitionkey": key,
        }
        return structured(envelope.extensions | own, value)


def binary(attributes: dict[str, str], value: bytes) -> Written:
    """Attributes as ``ce_`` headers, the document alone as the value: the official SDK's form."""
    # The SDK holds time as a datetime, which cuts nanoseconds: the exact text is put back.
    event = CloudEvent({**attributes, "time": datetime.fromisoformat(attributes["time"])}, value)
    message = kafka.to_binary(event, JSONFormat())
    headers = message.headers | {"ce_time": attributes["time"].encode()}
    return tuple(headers.items()), message.value


def structured(attributes: dict[str, str], value: bytes) -> Written:
    """Attributes and document together as one JSON event; not by the SDK, which would parse it again."""
    event = {**attributes, "data": strict_json.verbatim(value)}
    return (("content-type", JSONFormat.CONTENT_TYPE.encode()),), strict_json.dump(event)
