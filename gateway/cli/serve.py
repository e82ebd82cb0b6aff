"""``gateway serve``: the gateway in the foreground."""

from __future__ import annotations

import os
import sys

import click

from gateway import settings, starting
from gateway.server import Server
from gateway.settings import Settings

_TRY = """
Try it from another terminal:

  curl {url}/events -H 'Content-Type: application/json' \\
    -d '{{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}}'

  curl {url}/events/incidents/INC-7 -X PATCH -H 'Content-Type: application/json' \\
    -d '{{"title": "Shop is slow", "status": "RESOLVED"}}'      # refused: see what is missing

  curl {url}/readyz

and read what was published:  {command} tail --from-start --no-follow
"""


@click.command()
def serve() -> None:
    """Serve HTTP on GATEWAY_BIND until SIGTERM; SIGHUP reloads the workers."""
    chosen = settings.load()
    # Here, so that every fault is told once, and not by each worker.
    checked = starting.check(chosen)
    for warning in [*settings.unknown_variables(os.environ), *checked.warnings]:
        click.echo(f"settings: {warning}", err=True)
    if chosen.allow_anonymous:
        click.echo(f"settings: {settings.variable('allow_anonymous')}: anybody may send events", err=True)
    click.echo(_greeting(chosen))
    Server(chosen, checked).run()


def _greeting(chosen: Settings) -> str:
    url = f"http://{chosen.bind}"
    if chosen.kafka_bootstrap_servers:
        return f"gateway on {url}, publishing to Kafka at {', '.join(chosen.kafka_bootstrap_servers)}"
    there = f"gateway on {url}, publishing to the local log in {chosen.data_dir}"
    if chosen.credentials_file:
        return f"{there}; senders need a credential of {chosen.credentials_file}"
    tried = _TRY.format(url=url, command=sys.argv[0])
    return f"{there} (set {settings.variable('kafka_bootstrap_servers')} for Kafka)\n{tried}"
