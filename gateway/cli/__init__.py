"""The command line: one command a file."""

from __future__ import annotations

import sys

import click

from gateway.cli.check import check
from gateway.cli.confirmations import confirmations
from gateway.cli.contracts import asyncapi, openapi
from gateway.cli.credentials import credentials
from gateway.cli.explain import explain
from gateway.cli.map import map_
from gateway.cli.replay import replay
from gateway.cli.serve import serve
from gateway.cli.settings import settings
from gateway.cli.tail import tail
from gateway.cli.topics import topics
from gateway.errors import GatewayError, SettingsError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cloudevents-gateway")
def cli() -> None:
    """Webhooks of many dialects in, one envelope out, on Kafka."""


COMMANDS = (
    serve,
    check,
    explain,
    map_,
    tail,
    replay,
    topics,
    openapi,
    asyncapi,
    credentials,
    confirmations,
    settings,
)
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line: exit code 2 for settings that cannot be used, 1 for everything else."""
    try:
        cli()
    except SettingsError as error:
        for fault in error.faults:
            click.echo(f"settings: {fault}", err=True)
        sys.exit(2)
    except GatewayError as error:
        click.echo(error.detail, err=True)
        sys.exit(1)
