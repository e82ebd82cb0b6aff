"""The envelope as JSON: what consumers read, described by ``schemas/envelope.schema.json``."""

from __future__ import annotations

import re
from typing import Any

from gateway import strict_json
from gateway.errors import InvalidCharacter
from gateway.formats import HIDDEN, NOT_IN_STRINGS
from gateway.model import Details, Envelope, Problem, Reference
from gateway.vocabulary import is_cdevents

VERSION = "1"
MAX_NAME = 1_024
_FORBIDDEN = re.compile(f"[{NOT_IN_STRINGS}{HIDDEN}]")


def to_json(envelope: Envelope) -> bytes:
    """Write the envelope; the sender's document stands in it unchanged, digit for digit."""
    return strict_json.dump(to_dict(envelope) | {"payload": strict_json.verbatim(envelope.payload)})


def to_dict(envelope: Envelope) -> dict[str, Any]:
    """Give everything but the payload, members without a value left out."""
    subject = envelope.subject
    origin = envelope.origin
    return {
        "version": VERSION,
        "subject": _filled(type=subject.type, id=subject.id, source=subject.source),
        "predicate": envelope.predicate,
        "vocabulary": _vocabulary(envelope),
        "time": envelope.time,
        "receivedTime": envelope.received,
        "system": envelope.system,
        "origin": _filled(id=origin.id, type=origin.type, source=origin.source, schema=origin.schema),
        "details": _details(envelope.details),
    }


def check_names(envelope: Envelope, pointer: str) -> None:
    """Refuse names that cannot safely become a key, a header or a log line. Raises InvalidCharacter."""
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


def _vocabulary(envelope: Envelope) -> str:
    known = is_cdevents(envelope.subject.type, envelope.predicate)
    return "cdevents" if known and not envelope.open_ended else "custom"


def _details(details: Details) -> dict[str, Any]:
    return _filled(
        description=details.description,
        environment=_reference(details.environment),
        service=_reference(details.service),
        artifactId=details.artifact_id,
        ticketUri=details.ticket_uri,
        severity=details.severity,
        priority=details.priority,
        outcome=details.outcome,
        actor=details.actor,
        url=details.url,
        labels=dict(details.labels) or None,
    )


def _reference(reference: Reference | None) -> dict[str, Any] | None:
    return _filled(id=reference.id, source=reference.source) if reference else None


def _filled(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
