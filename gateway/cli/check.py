"""``gateway check``: validate files without sending them, for a continuous integration job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gateway import app, settings
from gateway.cli import files
from gateway.errors import Refusal


@click.command()
@click.argument(
    "paths",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@files.system_option
@files.header_option
@files.update_option
@files.id_option
def check(
    paths: Sequence[Path],
    system: str | None,
    headers: Sequence[str],
    update: bool,
    resource: str | None,
) -> None:
    """Validate FILEs as if they had been posted; exit code 1 when one would be refused."""
    pipeline = app.build(settings.load()).pipeline
    refused = 0
    for path in paths:
        try:
            prepared = pipeline.prepare(files.message(path, system, headers, update, resource))
        except Refusal as refusal:
            refused += 1
            click.echo(f"{path}: {refusal.status} {refusal.type}: {refusal.detail}")
            for problem in refusal.problems:
                click.echo(f"  {files.told(problem)}")
        else:
            topics = ", ".join(dict.fromkeys(event.record.topic for event in prepared.events)) or "no events"
            click.echo(f"{path}: ok -> {topics}")
    sys.exit(1 if refused else 0)
