"""``gateway settings``: every setting, its default and its meaning, as the README has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from gateway import settings as settings_module
from gateway.settings import Settings


@click.command("settings")
@click.option("--current", is_flag=True, help="Print the values in force instead; secrets are masked.")
def settings(current: bool) -> None:
    """Print the table of settings."""
    if current:
        chosen = settings_module.load()
        for name in Settings.model_fields:
            click.echo(f"{settings_module.variable(name)}={_shown(getattr(chosen, name))}")
    else:
        click.echo(table())


def table() -> str:
    """Give the settings as a Markdown table."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = f"`{_shown(field.default)}`" if _shown(field.default) else ""
        lines.append(f"| `{settings_module.variable(name)}` | {default} | {field.description} |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={told}" for name, told in value.items())
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, Path | str | int) else repr(value)
