"""All that the pipeline makes of an event, for those who look at it: the command line and the contracts.

The pipeline itself keeps of an envelope only what is asked for after the event is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.model import Document, Envelope, Message, Record
from gateway.pipeline import Pipeline
from gateway.sources.source import Source


@dataclass(frozen=True, slots=True)
class Understood:
    """An event with its whole envelope."""

    envelope: Envelope
    record: Record


def at_message(pipeline: Pipeline, message: Message) -> tuple[Understood, ...]:
    """Give the events of a message, in the order sent. Raises a Refusal as ``Pipeline.prepare`` does."""
    pipeline.prepare(message)
    found: list[Understood] = []
    for document in pipeline.reader.read(message).members:
        assert isinstance(document, Document)
        source = pipeline.sources.recognise(document)
        if not source.control(document):
            found += at_document(pipeline, source, document, pipeline.validate(source, document))
    return tuple(found)


def at_document(pipeline: Pipeline, source: Source, document: Document, schema: str) -> Iterator[Understood]:
    """Give the events of a valid document. Raises a Refusal of all that are refused before it gives any."""
    pipeline.prepare_each(source, document, schema)
    for part in source.split(document):
        envelope = pipeline.normalise(source, part, schema)
        yield Understood(envelope, pipeline.route(part, envelope))
