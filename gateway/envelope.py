"""The envelope as JSON: what consumers read, described by ``schemas/envelope.schema.json``."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from gateway import strict_json
from gateway.errors import InvalidCharacter
from gateway.formats import HIDDEN, NOT_IN_STRINGS
from gateway.model import Details, Envelope, Origin, Problem, Subject
from gateway.vocabulary import CDEVENTS

VERSION = "1"
MAX_NAME = 1_024
_FORBIDDEN = re.compile(f"[{NOT_IN_STRINGS}{HIDDEN}]")


class _Head(Struct, frozen=True, rename="camel", gc=False):
    """All but the payload."""

    version: str
    subject: Subject
    predicate: str
    vocabulary: str
    time: str
    received_time: str
    system: str
    origin: Origin
    details: Details


def to_json(envelope: Envelope, payload: Any) -> bytes:
    """Write the envelope; the document's ``payload`` stands in it unchanged, digit for digit."""
    return strict_json.dump_with(_head(envelope), "payload", payload)


def to_dict(envelope: Envelope) -> dict[str, Any]:
    """Give everything but the payload, members without a value left out."""
    return strict_json.to_dict(_head(envelope))


def _head(envelope: Envelope) -> _Head:
    known = not envelope.open_ended and (envelope.subject.type, envelope.predicate) in CDEVENTS
    return _Head(
        VERSION,
        envelope.subject,
        envelope.predicate,
        "cdevents" if known else "custom",
        envelope.time,
        envelope.received,
        envelope.system,
        envelope.origin,
        envelope.details,
    )


def check_names(envelope: Envelope, pointer: str) -> None:
    """Refuse names that cannot safely become a key, a header or a log line. Raises InvalidCharacter."""
    subject = envelope.subject
    joined = f"{envelope.id}{envelope.source}{subject.type}{subject.id}{envelope.predicate}"
    if joined.isprintable() and len(joined) <= MAX_NAME:  # no forbidden character is printable to Python
        return
    names = {
        "id": envelope.id,
        "source": envelope.source,
        "subject type": envelope.subject.type,
        "subject id": envelope.subject.id,
        "predicate": envelope.predicate,
    }
    problems = [
        Problem(pointer, "characters", f"the {name} holds a control or invisible character")
        for name, value in names.items()
        if _FORBIDDEN.search(value)
    ]
    problems += [
        Problem(pointer, "maxLength", f"the {name} is longer than {MAX_NAME} characters")
        for name, value in names.items()
        if len(value) > MAX_NAME
    ]
    if problems:
        raise InvalidCharacter("a name in the document cannot be used as a key or header", problems)
