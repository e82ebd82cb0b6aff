"""``gateway explain``: tell the story of one file, step by step."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gateway import app, settings
from gateway import envelope as envelopes
from gateway.cli import files
from gateway.errors import Refusal
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
    schema = pipeline.validate(source, document)
    _step("valid against", schema)
    envelope = pipeline.normalise(source, document, schema)
    shown = envelopes.to_dict(envelope) | {"payload": "(the document, unchanged)"}
    _step("envelope", "")
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    record = pipeline.route(document, envelope)
    _step("topic", record.topic)
    _step("key", record.key.decode())
    for name, value in record.headers:
        _step("header", f"{name}: {value.decode()}")


def _refused(refusal: Refusal) -> None:
    _step("refused", f"{refusal.status} {refusal.type}: {refusal.detail}")
    for problem in refusal.problems:
        _step("", files.told(problem))


def _step(name: str, text: str) -> None:
    click.echo(f"{name:14} {text}".rstrip())
