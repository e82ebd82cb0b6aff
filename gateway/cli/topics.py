"""``gateway topics``: the declared topics, and making those that Kafka does not have."""

from __future__ import annotations

import json

import click

from gateway import app, settings
from gateway.contracts import catalogue
from gateway.errors import SettingsError
from gateway.publishing import kafka_topics


@click.command()
@click.option("--create", is_flag=True, help="Create on Kafka those that are missing.")
@click.option("--long", "is_long", is_flag=True, help="Tell what lies in each, and which systems give it.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, as /topics.json has it.")
def topics(create: bool, is_long: bool, as_json: bool) -> None:
    """Print every declared topic, one a line."""
    chosen = settings.load()
    gateway = app.build(chosen)
    declared = gateway.router.topics()
    if create:
        if not chosen.kafka_bootstrap_servers:
            raise SettingsError([f"--create needs {settings.variable('kafka_bootstrap_servers')}"])
        missing = sorted(set(declared) - kafka_topics.existing(chosen))
        if missing:
            kafka_topics.create(chosen, missing)
        click.echo(f"{len(missing)} created, {len(declared) - len(missing)} were there", err=True)
    if as_json:
        found = catalogue.document(gateway.contracts.topics)
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in catalogue.table(gateway.contracts.topics) if is_long else declared:
        click.echo(line)
