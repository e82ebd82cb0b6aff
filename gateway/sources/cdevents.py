"""CDEvents in CloudEvents: incidents detected, reported and resolved, and tools' own custom events.

Source: CDEvents 0.2.0 to 0.6.0-draft, continuous operations and the CloudEvents binding. Every event type
that has a schema file is read: the file's name is the type, and a variant for one spec version of the
context stands beside it (``<type>+spec-<version>.schema.json``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from gateway import timestamps
from gateway.errors import SchemaViolation, UnknownEventType
from gateway.model import Details, Document, Envelope, Problem, Reference, Subject
from gateway.schemas import SUFFIX, SchemaStore
from gateway.settings import Settings
from gateway.sources.source import (
    Pair,
    Source,
    event_time,
    mapping,
    origin,
    text_of,
    uri_of,
)

RELEASED = "dev.cdevents."
CUSTOM = "dev.cdeventsx."
_PREFIXES = (RELEASED, CUSTOM)
_FOLDER = "cdevents/"
_CUSTOM_SCHEMA = f"{_FOLDER}custom{SUFFIX}"

# CloudEvents attribute -> where CDEvents says the same (CDEvents CloudEvents binding). The first three must
# agree always; the last two unless the lenient setting is on, since one SDK makes up fresh ones.
_BINDING = {
    "type": ("context", "type"),
    "source": ("context", "source"),
    "subject": ("subject", "id"),
    "id": ("context", "id"),
    "time": ("context", "timestamp"),
}
_ALWAYS = ("type", "source", "subject")


class CDEvents(Source):
    """CDEvents, in a CloudEvent or bare."""

    name = "cdevents"
    title = "CDEvents incidents"
    marks = "a CloudEvent whose type starts with dev.cdevents, or an object with context.type and subject"

    def __init__(self, schemas: SchemaStore, *, lenient_identity: bool = False) -> None:
        """Index the schema files by event type. ``lenient_identity`` lets CloudEvents id and time differ."""
        self._compared = _ALWAYS if lenient_identity else tuple(_BINDING)
        stems = [name.removeprefix(_FOLDER).removesuffix(SUFFIX) for name in schemas.texts]
        self._known = {stem for stem in stems if stem.startswith(RELEASED)}
        self._types = sorted(stem for stem in self._known if "+" not in stem)
        self._schemas = {type: _by_spec(type, self._known) for type in self._types}
        self._pairs = {type: _pair(type) for type in self._types}

    @classmethod
    def make(cls, settings: Settings, schemas: SchemaStore) -> CDEvents:
        """The schema files say which event types there are."""
        return cls(schemas, lenient_identity=settings.cdevents_lenient_identity)

    def pairs(self) -> frozenset[Pair]:
        """Subject and predicate of every event type there is a schema for."""
        return frozenset(_pair(type) for type in self._types)

    def recognise(self, document: Document) -> bool:
        """A CloudEvents type of CDEvents decides; else the shape of the document."""
        if document.attributes and document.attributes.get("type", "").startswith(_PREFIXES):
            return True
        data = mapping(document.data)
        inner = text_of(mapping(data.get("context")).get("type")) or ""
        return inner.startswith(_PREFIXES) and "subject" in data

    def schema(self, document: Document) -> str:
        """Choose by event type, then by the spec version in the context when that has a variant.

        Raises SchemaViolation when neither the document nor its CloudEvent says a type of CDEvents.
        """
        try:
            context = document.data["context"]
            schemas = self._schemas[context["type"]]
        except (KeyError, TypeError):  # TypeError: it is no object, or no text
            context, type = mapping(mapping(document.data).get("context")), _type(document)
            if type.startswith(CUSTOM):
                return _CUSTOM_SCHEMA
            schemas = self._schemas.get(type) or self._refuse(type, document)
        spec = text_of(context.get("specversion")) or text_of(context.get("version"))
        return schemas.get(spec) or schemas[None]

    def check(self, document: Document) -> Sequence[Problem]:
        """The CloudEvents attributes must say what the document says (CloudEvents binding)."""
        attributes, data = document.attributes, document.data
        if attributes is None or not isinstance(data, dict):
            return ()
        context, subject, says = data.get("context"), data.get("subject"), attributes.get
        if (  # to the letter, as nearly always
            isinstance(context, dict)
            and isinstance(subject, dict)
            and says("type") == context.get("type")
            and says("source") == context.get("source")
            and says("subject") == subject.get("id")
            and says("id") == context.get("id")
            and says("time") == context.get("timestamp")
        ):
            return ()
        return [*self._mismatches(attributes, document)]

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Subject and predicate are the two words in the event type."""
        context, subject = document.data["context"], document.data["subject"]
        id, source, type = context["id"], context["source"], context["type"]
        noun, predicate = self._pairs.get(type) or _pair(type)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(noun, subject["id"], subject.get("source")),
            predicate=predicate,
            time=event_time(document, context["timestamp"]),
            origin=origin(
                document,
                context.get("schemaUri") or schema_id,
                id=id,
                type=type,
                source=source,
            ),
            details=_details(mapping(subject.get("content"))),
            open_ended=type.startswith(CUSTOM),
        )

    def _mismatches(self, attributes: Mapping[str, str], document: Document) -> Iterator[Problem]:
        for attribute in self._compared:
            outer, (parent, member) = attributes.get(attribute), _BINDING[attribute]
            inner = mapping(document.data.get(parent)).get(member)
            if not isinstance(inner, str) or (outer is None and attribute not in _ALWAYS):
                continue
            if not _same(attribute, outer, inner):
                told = "is missing" if outer is None else f"is {outer[:60]!r}"
                message = f"the CloudEvents attribute '{attribute}' {told}, but must say the same"
                yield Problem(f"{document.pointer}/{parent}/{member}", "const", message)

    def _refuse(self, type: str, document: Document) -> NoReturn:
        told = self._unknown(type)
        place = f"{document.pointer}/context/type"
        raise UnknownEventType(told, [Problem(place, "enum", f"{type[:60]!r} is not known: {told}")])

    def _unknown(self, type: str) -> str:
        same = [known for known in self._types if _unversioned(known) == _unversioned(type)]
        if same:
            versions = ", ".join(known.removeprefix(f"{_unversioned(known)}.") for known in same)
            return f"no such version of {_unversioned(type)}; known versions: {versions}"
        near = difflib.get_close_matches(type, self._types, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"no such CDEvents type{hint}; known types: {', '.join(self._types)}"


def _type(document: Document) -> str:
    """Give the type in the context, else that of the CloudEvent when it is one of CDEvents."""
    if type(found := mapping(mapping(document.data).get("context")).get("type")) is str:
        return found
    claimed = (document.attributes or {}).get("type", "")
    node: Any = document.data
    place = document.pointer
    for member in ("context", "type"):
        if not isinstance(node, dict):
            missing = Problem(place, "type", "is not an object")
            break
        place = f"{place}/{member}"
        if member not in node:
            missing = Problem(place, "required", "is required")
            break
        node = node[member]
    else:
        if isinstance(node, str):
            return node
        missing = Problem(place, "type", "is not of type string")
    if claimed.startswith((RELEASED, CUSTOM)):
        return claimed  # whose schema tells what is missing
    raise SchemaViolation("a CDEvent says its type in context.type", [missing])


def _by_spec(type: str, known: Iterable[str]) -> dict[str | None, str]:
    """Give the schema file for each spec version of the context that has its own; None: for all others."""
    files: dict[str | None, str] = {None: f"{_FOLDER}{type}{SUFFIX}"}
    start = f"{type}+spec-"
    return files | {
        stem[len(start) :]: f"{_FOLDER}{stem}{SUFFIX}" for stem in known if stem.startswith(start)
    }


def _unversioned(type: str) -> str:
    """``dev.cdevents.incident.detected.0.1.0`` -> ``dev.cdevents.incident.detected``."""
    return ".".join(type.split(".")[:4])


def _pair(type: str) -> Pair:
    """The third and fourth word of a type; in a custom one the third is ``<tool>-<subject>``."""
    _, _, subject, predicate, *_ = type.lower().split(".")
    return subject, predicate


def _same(attribute: str, outer: str | None, inner: str) -> bool:
    if outer == inner or attribute != "time" or outer is None:
        return outer == inner
    try:
        return timestamps.to_utc(outer) == timestamps.to_utc(inner)
    except ValueError:
        return True  # a timestamp that is none is told by the schema


def _details(content: Mapping[str, Any]) -> Details:
    return Details(
        description=text_of(content.get("description")),
        environment=_reference(content.get("environment")),
        service=_reference(content.get("service")),
        artifact_id=text_of(content.get("artifactId")),
        ticket_uri=uri_of(content.get("ticketURI")),
    )


def _reference(value: Any) -> Reference | None:
    """A custom event's content is free, so even a well-known member may hold anything."""
    if not isinstance(value, dict):
        return None
    id = text_of(value.get("id"))
    return Reference(id, text_of(value.get("source"))) if id else None
