"""``gateway openapi`` and ``gateway asyncapi``: the contracts without a server, for others' CI."""

from __future__ import annotations

import json
from typing import Any

import click

from gateway import app, settings, starting
from gateway.contracts import Contracts


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of the intake."""
    _print(built().openapi)


@click.command()
def asyncapi() -> None:
    """Print the AsyncAPI document of the topics."""
    _print(built().asyncapi)


def built() -> Contracts:
    """Give the contracts that a gateway with these settings serves."""
    chosen = settings.load()
    credentials = starting.check(chosen).credentials
    return app.build(chosen, credentials=credentials).contracts


def _print(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
