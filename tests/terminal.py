"""The command line as a function."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.settings import variable

Run = Callable[..., Result]


def run(*arguments: object, **chosen: str) -> Result:
    """Run a command with settings of its own: ``run("topics", topic_prefix="acme")``."""
    environ = {variable(name): value for name, value in chosen.items()}
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environ)
