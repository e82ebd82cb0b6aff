"""``gateway tail``: read what was published, from Kafka or the local log."""

from __future__ import annotations

import json

import click

from gateway import settings
from gateway.cli import stored
from gateway.model import StoredRecord


@click.command()
@click.argument("topic_pattern", default="*")
@click.option("--from-start", is_flag=True, help="Begin with the oldest record, not with the next.")
@click.option("--no-follow", is_flag=True, help="Stop when there is nothing more to read.")
@click.option("--headers", is_flag=True, help="Print the record's headers too.")
def tail(topic_pattern: str, from_start: bool, no_follow: bool, headers: bool) -> None:
    """Print the records of topics like TOPIC_PATTERN, such as 'events.incident.*': a JSON object a line."""
    for record in stored.records(settings.load(), topic_pattern, from_start=from_start):
        if record is not None:
            _print(record, headers)
        elif no_follow:
            return


def _print(record: StoredRecord, headers: bool) -> None:
    line: dict[str, object] = {
        "topic": record.topic,
        "offset": record.offset,
        "key": record.key.decode(),
    }
    if headers:
        line["headers"] = {name: value.decode(errors="replace") for name, value in record.headers}
    # The value is put in as it is, so that no digit of it changes.
    head = json.dumps(line, ensure_ascii=False)[:-1]
    click.echo(f'{head}, "value": {record.value.decode(errors="replace")}}}')
