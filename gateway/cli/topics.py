"""``gateway topics``: the declared topics, and making those that Kafka does not have."""

from __future__ import annotations

import click

from gateway import app, settings
from gateway.errors import SettingsError
from gateway.publishing import kafka_topics


@click.command()
@click.option("--create", is_flag=True, help="Create on Kafka those that are missing.")
def topics(create: bool) -> None:
    """Print every declared topic, one a line."""
    chosen = settings.load()
    declared = app.build(chosen).router.topics()
    if create:
        if not chosen.kafka_bootstrap_servers:
            raise SettingsError([f"--create needs {settings.variable('kafka_bootstrap_servers')}"])
        missing = sorted(set(declared) - kafka_topics.existing(chosen))
        if missing:
            kafka_topics.create(chosen, missing)
        click.echo(f"{len(missing)} created, {len(declared) - len(missing)} were there", err=True)
    for topic in declared:
        click.echo(topic)
