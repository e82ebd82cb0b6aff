"""The name of a system as an option of a command: one that is built in, declared or installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gateway import settings
from gateway.errors import SettingsError
from gateway.systems import SYSTEMS


class SystemType(click.ParamType[Any]):
    """Takes the names of systems, and ``more`` words."""

    name = "system"

    def __init__(self, *more: str) -> None:
        self._more = more

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Demand one that there is."""
        names = (*there_are(), *self._more)
        if value not in names:
            self.fail(f"{value!r} is not one of {', '.join(names)}", param, ctx)
        return value


def there_are() -> Sequence[str]:
    """Name the systems; the settings are not read whole, since a command may be there to mend them."""
    try:
        return settings.there_are().names
    except SettingsError:
        return SYSTEMS
