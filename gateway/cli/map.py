"""``gateway map``: what a declaration makes of a body, before anything is put where events come in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gateway import app, looking, settings
from gateway import envelope as envelopes
from gateway.cli import files
from gateway.errors import Refusal

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("map")
@click.argument("declaration", type=_file)
@click.argument("payload", type=_file)
@files.header_option
def map_(declaration: Path, payload: Path, headers: Sequence[str]) -> None:
    """Show what DECLARATION makes of PAYLOAD: topic, key and envelope of each event, or every problem.

    Of what lies beside the declaration, the schemas have to be good, and nothing else.
    """
    here = {"mappings_dir": str(declaration.parent), "systems": declaration.stem}
    chosen = settings.load({**os.environ, **{settings.variable(name): value for name, value in here.items()}})
    message = files.message(payload, declaration.stem, headers, update=False, resource=None)
    try:
        events = looking.at_message(app.build(chosen).pipeline, message)
    except Refusal as refusal:
        click.echo(f"{refusal.status} {refusal.type}: {refusal.detail}", err=True)
        for problem in refusal.problems:
            click.echo(f"  {files.told(problem)}", err=True)
        sys.exit(1)
    for event in events:
        shown = {
            "topic": event.record.topic,
            "key": event.record.key.decode(),
            "envelope": envelopes.to_dict(event.envelope),
        }
        click.echo(json.dumps(shown, ensure_ascii=False))
