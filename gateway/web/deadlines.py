"""How long a connection may be quiet, slow or idle, and the sweep that ends those that are longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.settings import Settings

logger = logging.getLogger(__name__)

PACE = 1_024  # bytes a second, the least on average that a body may come at
LINGER_SECONDS = 2.0  # for a client to read a last answer, or to send a request that crosses our stop
_SPARE_FILES = 200  # for everything that is no connection


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one worker. Seconds, and how many connections."""

    read_seconds: float
    idle_seconds: float
    connections: int

    @classmethod
    def of(cls, settings: Settings, open_files: int) -> Limits:
        """Give those of the settings, as far as the system lets this process open files."""
        connections = min(settings.max_connections, max(10, open_files - _SPARE_FILES))
        return cls(settings.read_timeout_seconds, settings.idle_timeout_seconds, connections)


class Timed(Protocol):
    """A connection that says until when it may stay as it is, by the clock of the loop.

    ``write_due`` is until when its client has to have read more of the answers.
    """

    due: float
    write_due: float

    def expire(self) -> None:
        """End it, or what it waits for."""


async def sweep(connections: Collection[Timed], read_seconds: float) -> None:
    """End what is overdue, for ever: one timer for all, since nearly none is ever late."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(0.5, read_seconds / 4))
        now = loop.time()
        for _ in range(2):  # what came while the loop was busy, or the process stopped, counts
            await asyncio.sleep(0)
        for connection in [each for each in connections if each.due < now or each.write_due < now]:
            try:
                connection.expire()
            except Exception:  # the others must not wait for ever
                logger.exception("a connection could not be ended")
