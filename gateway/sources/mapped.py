"""A system that is declared in a file, not written in code: see ``docs/mappings.md``.

The declaration obeys ``schemas/mapping.schema.json`` and is compiled once, at start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jsonpointer import JsonPointer

from gateway import strict_json, timestamps
from gateway.errors import SchemaViolation
from gateway.formats import is_uri_reference
from gateway.model import Details, Document, Envelope, Problem, Reference, Subject
from gateway.sources.picks import Pick, Scene, compile_pick, place, resolve
from gateway.sources.source import (
    Pair,
    Source,
    event_time,
    identity,
    labels,
    mapping,
    origin,
    relative_source,
    text_of,
    uri_of,
    word,
)

_EVERY = "*"  # the name of a label that stands for all of an object's members


class Mapped(Source):
    """One declared system."""

    def __init__(self, name: str, schema: str, declared: Mapping[str, Any]) -> None:
        """Take a declaration that its schema accepts; ``schema`` names that of the documents in the store."""
        recognise, predicate = declared["recognise"], declared["predicate"]
        self.name = name
        self.title = declared["title"]
        self._schema = schema
        self._headers = dict(recognise.get("headers", {}))
        self._members = [(JsonPointer(place), value) for place, value in recognise.get("members", {}).items()]
        self.marks = " and ".join(
            [f"the header {header}: {value}" for header, value in self._headers.items()]
            + [f"{pointer.path} = {value!r}" for pointer, value in self._members]
        )
        self.headers_read = tuple(self._headers)
        self.group = tuple(JsonPointer(declared["each"]).parts) if "each" in declared else ()
        self._noun = declared["subject"].get("type", "incident")
        self._subject = _Needed("subject.id", declared["subject"]["id"])
        self._verb = _Needed("predicate.from", predicate["from"])
        self._values = {value.lower(): _pair(meant) for value, meant in predicate["values"].items()}
        self._declared = declared
        self._own = {
            name: compile_pick(declared[name]) for name in ("id", "source", "time") if name in declared
        }
        self._details = {name: compile_pick(pick) for name, pick in declared.get("details", {}).items()}
        self._labels = {name: compile_pick(pick) for name, pick in declared.get("labels", {}).items()}

    def pairs(self) -> frozenset[Pair]:
        """Those of the table of values."""
        return frozenset(self._values.values())

    def recognise(self, document: Document) -> bool:
        """All headers and members have the values that are declared."""
        headers = document.message.headers
        return all(headers.get(name) == value for name, value in self._headers.items()) and all(
            _same(resolve(pointer, document.data), value) for pointer, value in self._members
        )

    def schemas(self, files: Iterable[str], *, update: bool) -> Sequence[str]:
        """The one that is declared."""
        return (self._schema,)

    def schema(self, document: Document) -> str:
        """The one that is declared."""
        return self._schema

    def split(self, document: Document) -> Iterable[Document]:
        """Cut a group. Raises SchemaViolation where its schema has not seen that there is none."""
        array = document.data
        for depth, member in enumerate(self.group, 1):
            array = mapping(array).get(member)
            if array is None or (depth == len(self.group) and not isinstance(array, list)):
                steps = "".join(f"/{strict_json.escape(step)}" for step in self.group[:depth])
                told = "the declaration's each finds no array here"
                problem = Problem(document.pointer + steps, "each", told)
                raise SchemaViolation("the document lacks what its declaration needs", [problem])
        return super().split(document)

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Every field is picked as declared. Raises SchemaViolation for what is not there as declared."""
        scene = self._scene(document)
        subject_id, said = self._needed(scene)
        pair = self._values.get(said.lower())
        noun, predicate = pair or (self._noun, word(said))
        time = self._time(scene)
        source = self._source(scene) or document.message.source or relative_source(self.name)
        own_id = id = text_of(self._pick("id", scene))
        if id is None:
            source, id = identity(document, source, dated=time is not None)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(noun, subject_id),
            predicate=predicate,
            time=time or event_time(document),
            origin=origin(document, schema_id, id=own_id, type=said, source=None),
            details=self._said(scene),
            open_ended=pair is None,
        )

    def _scene(self, document: Document) -> Scene:
        """A document of a group was cut to one item, and its pointer leads there."""
        item = document.data
        if not self.group:
            return Scene(item, item, document.pointer, document.pointer)
        for member in self.group:
            item = item[member]
        place = "".join(f"/{strict_json.escape(step)}" for step in (*self.group, str(document.place)))
        return Scene(item[0], document.data, document.pointer, document.pointer.removesuffix(place))

    def _needed(self, scene: Scene) -> tuple[str, str]:
        found: list[str] = []
        problems: list[Problem] = []
        for needed in (self._subject, self._verb):
            try:
                found.append(needed(scene))
            except SchemaViolation as refusal:
                problems += refusal.problems
        if problems:
            raise SchemaViolation("the document lacks what its declaration needs", problems)
        return found[0], found[1]

    def _pick(self, name: str, scene: Scene) -> Any:
        pick = self._own.get(name)
        return pick(scene) if pick else None

    def _time(self, scene: Scene) -> str | None:
        value = self._pick("time", scene)
        if value is None or value == "":
            return None
        try:
            return timestamps.to_utc(text_of(value) or "")
        except ValueError:
            told = "is no RFC 3339 date-time with an offset; declare a transform for it"
            raise self._unusable("time", told, scene) from None

    def _source(self, scene: Scene) -> str | None:
        text = text_of(self._pick("source", scene))
        if text is not None and not is_uri_reference(text):
            told = "is no URI and no relative reference, which the declaration takes for the source"
            raise self._unusable("source", told, scene)
        return text

    def _unusable(self, name: str, told: str, scene: Scene) -> SchemaViolation:
        problem = Problem(place(self._declared[name], scene), name, told)
        return SchemaViolation("a member is not what the declaration says", [problem])

    def _said(self, scene: Scene) -> Details:
        said = {name: text_of(pick(scene)) for name, pick in self._details.items()}
        environment, service = said.get("environment"), said.get("service")
        return Details(
            description=said.get("description"),
            environment=Reference(environment) if environment else None,
            service=Reference(service) if service else None,
            artifact_id=said.get("artifactId"),
            ticket_uri=uri_of(said.get("ticketUri")),
            severity=said.get("severity"),
            priority=said.get("priority"),
            outcome=said.get("outcome"),
            actor=said.get("actor"),
            url=uri_of(said.get("url")),
            labels=self._labelled(scene),
        )

    def _labelled(self, scene: Scene) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, pick in self._labels.items():
            value = pick(scene)
            found |= _all_of(value) if name == _EVERY else labels([(name, value)])
        return found


class _Needed:
    """A pick without which there is no event."""

    def __init__(self, name: str, declared: Any) -> None:
        self._name = name
        self._pick: Pick = compile_pick(declared)
        self._declared = declared

    def __call__(self, scene: Scene) -> str:
        """Give its text. Raises SchemaViolation."""
        text = text_of(self._pick(scene))
        if text is None:
            told = f"the declaration's {self._name} finds no text here"
            problem = Problem(place(self._declared, scene), "required", told)
            raise SchemaViolation("the document lacks what its declaration needs", [problem])
        return text


def _pair(meant: str) -> Pair:
    noun, _, predicate = meant.partition(".")
    return noun, predicate


def _same(found: Any, wanted: Any) -> bool:
    """JSON tells 1 from true, Python does not."""
    return type(found) is type(wanted) and bool(found == wanted)


def _all_of(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        parts = (part.partition(":") for part in value if isinstance(part, str))
        return labels((name.strip(), rest.strip()) for name, colon, rest in parts if name.strip() and colon)
    return labels(mapping(value).items())
