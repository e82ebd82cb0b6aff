"""``gateway replay``: publish what was kept, once what stood in its way is mended."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import click

from gateway import settings, timestamps
from gateway.app import Gateway
from gateway.cli import again, replayed
from gateway.cli.again import Tally
from gateway.cli.kept import Letters, Rows, Wanted, stopped_files
from gateway.cli.system_names import SystemType
from gateway.errors import SettingsError
from gateway.model import Fault
from gateway.settings import Settings
from gateway.systems import UNKNOWN

_CLASSES = [fault.value for fault in Fault]


class _Instant(click.ParamType[datetime]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(timestamps.to_utc(value))
        except ValueError:
            self.fail(f"{value} is no time such as 2026-02-03T04:05:06Z", param, ctx)


@click.command()
@click.option("--class", "fault", type=click.Choice(_CLASSES), help="Only dead letters of this class.")
@click.option("--system", type=SystemType(UNKNOWN), help="Only of this system.")
@click.option("--request", metavar="ID", help="Only of the request with this id.")
@click.option("--since", type=_Instant(), help="Only what was received then or later.")
@click.option("--until", type=_Instant(), help="Only what was received before.")
@click.option("--again", "repeat", is_flag=True, help="Also what was replayed already.")
@click.option("--spool", is_flag=True, help="Instead, what gateways that have ended left in their spool.")
@click.option("--dry-run", is_flag=True, help="Publish nothing; tell what would become of it.")
def replay(repeat: bool, spool: bool, dry_run: bool, **choice: Any) -> None:
    """Publish dead letters again, through the same steps as when they came.

    What is refused again is told and stays where it is; then the exit code is 1.
    """
    chosen, wanted, tally = settings.load(), Wanted(**choice), Tally()
    if spool and (repeat or wanted != Wanted(since=wanted.since, until=wanted.until)):
        raise click.UsageError("--spool goes with --since, --until and --dry-run only")
    try:
        with again.gateway_for_replay(chosen) as gateway, ExitStack() as opened:
            source: Letters | Rows
            if spool:
                source = opened.enter_context(_rows(chosen, wanted))
            else:
                source = opened.enter_context(_letters(chosen, gateway, wanted, repeat=repeat))
            number = source.find(tally)
            again.take_all(gateway, source.items(), number, tally, dry_run=dry_run)
    finally:
        if tally.read or sys.exception() is None:
            click.echo(tally.told(dry_run=dry_run))
    sys.exit(0 if tally.complete else 1)


@contextmanager
def _letters(chosen: Settings, gateway: Gateway, wanted: Wanted, *, repeat: bool) -> Iterator[Letters]:
    with replayed.opened(chosen.data_dir) as done:
        yield Letters(chosen, gateway, wanted, done, repeat=repeat)


@contextmanager
def _rows(chosen: Settings, wanted: Wanted) -> Iterator[Rows]:
    if not chosen.kafka_bootstrap_servers:
        raise SettingsError([f"--spool needs {settings.variable('kafka_bootstrap_servers')}"])
    with stopped_files(chosen.data_dir) as files:
        yield Rows(files, wanted)
