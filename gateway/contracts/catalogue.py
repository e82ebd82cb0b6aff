"""The topics and what lies in each: subject, predicate, CloudEvents type, and which systems can give it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.contracts.samples import Sample
from gateway.routing import Router
from gateway.schemas import DEADLETTER, ENVELOPE
from gateway.sources.source import Source
from gateway.vocabulary import is_cdevents


class Kind(StrEnum):
    """What a topic is for."""

    EVENTS = "events"
    OPEN_ENDED = "open-ended"
    DEAD_LETTERS = "dead-letters"


_ABOUT = {
    Kind.OPEN_ENDED: "What a sender may invent, such as custom events: any subject and predicate.",
    Kind.DEAD_LETTERS: "What was refused, with the reason and all that is needed to try it again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A subject and predicate; ``systems`` can give it, ``samples`` show it."""

    subject: str
    predicate: str
    vocabulary: str
    type: str
    systems: tuple[str, ...]
    samples: tuple[str, ...]

    def sample_of(self, system: str) -> str | None:
        """Name the sample that shows it as one system sends it."""
        return next((name for name in self.samples if name.startswith(f"{system}/")), None)


@dataclass(frozen=True, slots=True)
class Topic:
    """A declared topic. What is open-ended has the meanings of its samples alone; others are possible."""

    name: str
    kind: Kind
    about: str
    meanings: tuple[Meaning, ...] = ()


def topics(router: Router, sources: Iterable[Source], samples: Mapping[str, Sample]) -> tuple[Topic, ...]:
    """Give every topic that the router declares, sorted by name."""
    givers = {source.name: source.pairs() for source in sources}
    meanings: dict[str, list[Meaning]] = {name: [] for name in router.topics()}
    for pair, topic in router.table.items():
        systems = tuple(name for name, pairs in givers.items() if pair in pairs)
        meanings[topic].append(_meaning(router, pair, systems, samples.values()))
    meanings[router.custom_topic] += _invented(router, samples.values())
    return tuple(_topic(router, name, tuple(found)) for name, found in meanings.items())


def document(found: Iterable[Topic]) -> dict[str, Any]:
    """Give the catalogue as JSON."""
    return {
        "topics": [
            {
                "topic": topic.name,
                "kind": topic.kind.value,
                "description": topic.about,
                "schema": f"/schemas/{DEADLETTER if topic.kind is Kind.DEAD_LETTERS else ENVELOPE}",
                "events": [
                    {
                        "subject": meaning.subject,
                        "predicate": meaning.predicate,
                        "vocabulary": meaning.vocabulary,
                        "type": meaning.type,
                        "systems": meaning.systems,
                        "samples": [f"/samples/{name}" for name in meaning.samples],
                    }
                    for meaning in topic.meanings
                ],
            }
            for topic in found
        ]
    }


def table(found: Iterable[Topic]) -> Iterator[str]:
    """Give the catalogue as lines of text, one an event, in columns."""
    rows = [("TOPIC", "SUBJECT", "PREDICATE", "VOCABULARY", "SYSTEMS", "TYPE")]
    for topic in found:
        for one in topic.meanings if topic.kind is Kind.EVENTS else ():
            systems = ",".join(one.systems)
            rows.append((topic.name, one.subject, one.predicate, one.vocabulary, systems, one.type))
        if topic.kind is not Kind.EVENTS:
            rows.append((topic.name, "*", "*", "custom", "*", topic.kind.value))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _topic(router: Router, name: str, meanings: tuple[Meaning, ...]) -> Topic:
    kind = Kind.EVENTS
    if name == router.custom_topic:
        kind = Kind.OPEN_ENDED
    elif name == router.dead_letter_topic:
        kind = Kind.DEAD_LETTERS
    told = ", ".join(f"{one.subject} {one.predicate}" for one in meanings)
    return Topic(name, kind, _ABOUT.get(kind) or f"Events of this meaning: {told}.", meanings)


def _meaning(
    router: Router, pair: tuple[str, str], systems: tuple[str, ...], samples: Iterable[Sample]
) -> Meaning:
    subject, predicate = pair
    shown = [sample for sample in samples if not sample.event.envelope.open_ended]
    return Meaning(
        subject=subject,
        predicate=predicate,
        vocabulary="cdevents" if is_cdevents(subject, predicate) else "custom",
        type=router.type(f"{subject}.{predicate}"),
        systems=systems,
        samples=tuple(sample.name for sample in shown if _pair(sample) == pair),
    )


def _invented(router: Router, samples: Iterable[Sample]) -> Iterator[Meaning]:
    for sample in samples:
        if sample.event.record.topic == router.custom_topic:
            subject, predicate = _pair(sample)
            yield Meaning(
                subject=subject,
                predicate=predicate,
                vocabulary="custom",
                type=router.type(f"{subject}.{predicate}"),
                systems=(sample.event.envelope.system,),
                samples=(sample.name,),
            )


def _pair(sample: Sample) -> tuple[str, str]:
    envelope = sample.event.envelope
    return envelope.subject.type, envelope.predicate
