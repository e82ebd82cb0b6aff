"""``gateway explain``: tell the story of one file, step by step."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gateway import app, looking, settings
from gateway import envelope as envelopes
from gateway.cli import files
from gateway.errors import Refusal
from gateway.looking import Understood
from gateway.model import Document
from gateway.pipeline import Pipeline


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@files.system_option
@files.header_option
@files.update_option
@files.id_option
def explain(
    path: Path, system: str | None, headers: Sequence[str], update: bool, resource: str | None
) -> None:
    """Tell what would become of FILE: recognised as, schema, every problem, envelope, topic and key."""
    pipeline = app.build(settings.load()).pipeline
    refused = False
    try:
        for document in pipeline.reader.read(files.message(path, system, headers, update, resource)).members:
            try:
                _narrate(pipeline, document)
            except Refusal as refusal:
                refused = True
                _refused(refusal)
    except Refusal as refusal:  # of them all
        refused = True
        _refused(refusal)
    sys.exit(1 if refused else 0)


def _narrate(pipeline: Pipeline, document: Document | Refusal) -> None:
    if isinstance(document, Refusal):
        raise document
    _step("read as", "a CloudEvent" if document.attributes else "plain JSON")
    source = pipeline.sources.recognise(document)
    _step("recognised as", f"{source.name} ({source.title})")
    if control := source.control(document):
        _step("no event", f"{control.kind}: {control.told}")
        return
    schema = pipeline.validate(source, document)
    _step("valid against", schema)
    for event in looking.at_document(pipeline, source, document, schema):
        _show(event)


def _show(event: Understood) -> None:
    shown = envelopes.to_dict(event.envelope) | {"payload": "(the document, unchanged)"}
    _step("envelope", "")
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    _step("topic", event.record.topic)
    _step("key", event.record.key.decode())
    for name, value in event.record.headers:
        _step("header", f"{name}: {value.decode()}")


def _refused(refusal: Refusal) -> None:
    _step("refused", f"{refusal.status} {refusal.type}: {refusal.detail}")
    for problem in refusal.problems:
        _step("", files.told(problem))


def _step(name: str, text: str) -> None:
    click.echo(f"{name:14} {text}".rstrip())
