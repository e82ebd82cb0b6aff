"""A file as if it had been posted: what ``check`` and ``explain`` have in common."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway import strict_json
from gateway.cli.system_names import SystemType
from gateway.errors import Refusal
from gateway.model import Message, Problem
from gateway.sources.reading import BATCHED, STRUCTURED

system_option = click.option("--system", type=SystemType(), help="As if posted to /events/SYSTEM.")
header_option = click.option(
    "--header",
    "-H",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A request header; repeatable.",
)
update_option = click.option("--update", is_flag=True, help="As if sent by PUT or PATCH.")
id_option = click.option("--id", "resource", help="The id that an update has in its path.")


def message(
    path: Path, system: str | None, headers: Sequence[str], update: bool, resource: str | None
) -> Message:
    """Give the file's content as a request; without a Content-Type header it is guessed from the content."""
    body = path.read_bytes()
    given = {
        name.strip().lower(): value.strip()
        for name, _, value in (header.partition(":") for header in headers)
    }
    return Message(
        headers={"content-type": _content_type(body)} | given,
        body=body,
        id=str(uuid.uuid4()),
        received=datetime.now(UTC),
        system=system,
        resource=resource,
        update=update,
    )


def told(problem: Problem) -> str:
    """Give one problem as a line."""
    return f"{problem.pointer or '(whole)'}: {problem.message} [{problem.keyword}]"


def _content_type(body: bytes) -> str:
    try:
        content = strict_json.parse(body)
    except Refusal:
        return "application/json"
    if isinstance(content, list):
        return BATCHED
    is_event = isinstance(content, dict) and {"specversion", "type"} <= content.keys()
    return STRUCTURED if is_event else "application/json"
