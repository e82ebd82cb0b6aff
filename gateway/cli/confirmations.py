"""``gateway confirmations``: what senders have asked of an operator, such as to confirm a subscription."""

from __future__ import annotations

import click

from gateway import notices, settings


@click.command()
def confirmations() -> None:
    """Print what senders have asked to be confirmed, newest last; nothing is confirmed by this."""
    for notice in notices.read(settings.load().data_dir):
        click.echo(f"{notice['received']} {notice['system']} {notice['kind']}: {notice['told']}")
