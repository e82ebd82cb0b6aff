"""What lies in the topics, the dead letters and the spool afterwards."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping

import jsonschema_rs
from confluent_kafka.admin import AdminClient

from gateway.publishing.spool_file import Row
from tests.examples import SCHEMAS
from tests.integration.consuming import Consumed, consume
from tests.sweep.events import DEAD_LETTERS, ID
from tests.sweep.oracle import Found, Published

# The compiled one: there are many records, and the verdict is what counts.
_ENVELOPE = jsonschema_rs.validator_for(json.loads((SCHEMAS / "envelope.schema.json").read_bytes()))


def find(bootstrap: str, rows: Iterable[Row], outcomes: Mapping[str, int] | None) -> Found:
    """Read every topic of ours to its end, and take the spool's rows as they are."""
    known = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=30).topics
    records = consume(bootstrap, [topic for topic in known if not topic.startswith("__")])
    return Found(
        published=[_published(record) for record in records if record.topic != DEAD_LETTERS],
        waiting=frozenset(id for row in rows if row.parked is None for id in _ids_of(row)),
        parked=frozenset(id for row in rows if row.parked is not None for id in _ids_of(row)),
        dead=frozenset(
            id for record in records if record.topic == DEAD_LETTERS for id in ids_in(record.value)
        ),
        outcomes=outcomes,
    )


def ids_in(dead_letter: bytes) -> set[str]:
    """The ids in what a dead letter keeps: a request's body, or a record's value."""
    letter = json.loads(dead_letter)
    kept, name = (letter["request"], "body") if "request" in letter else (letter["record"], "value")
    content = (kept[name] or "").encode()
    if kept.get(f"{name}Encoding") == "gzip+base64":
        content = gzip.decompress(base64.b64decode(content))
    return {id.decode() for id in ID.findall(content)}


def _ids_of(row: Row) -> set[str]:
    """A dead letter may wait in the spool, too: then it is the id of what it keeps."""
    if row.record.topic == DEAD_LETTERS:
        return ids_in(row.record.value)
    return {id.decode() for id in ID.findall(row.record.value)}


def _published(record: Consumed) -> Published:
    headers = {name: value.decode() for name, value in record.headers.items()}
    id = headers.get("ce_id", "")
    return Published(
        record.topic,
        record.partition,
        record.offset,
        record.key.decode(),
        headers.get("ce_source", ""),
        id,
        _is_sound(record.value, id),
    )


def _is_sound(value: bytes, id: str) -> bool:
    try:
        envelope = json.loads(value)
    except ValueError:
        return False
    return _ENVELOPE.is_valid(envelope) and bool(envelope["origin"]["id"] == id)
