"""gunicorn's worker for the ASGI door: uvicorn, with deadlines, and a stop that finishes what was taken."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from functools import partial
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from gateway.web.asgi import AsgiDoor
from gateway.web.deadlines import Limits, sweep
from gateway.web.http_protocol import GatewayProtocol

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_STOP_SECONDS = 12  # below gunicorn's own patience, after which it kills


class AsgiWorker(UvicornWorker):  # type: ignore[misc]  # uvicorn-worker carries no types
    """One event loop, in a process of its own; ``self.wsgi`` is what the application loads: an AsgiDoor."""

    CONFIG_KWARGS = {  # noqa: RUF012  (the base class has it so)
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": _STOP_SECONDS,
    }
    _server: Server | None = None
    _stopping = False

    def init_signals(self) -> None:
        """Stop gracefully at each of gunicorn's signals to stop.

        By the base class's own means a worker dies of the signal once it has served, before gunicorn could
        call ``worker_exit``, which finishes what was taken; and it does not hear SIGQUIT at all.
        """
        super().init_signals()
        for number in _STOPS:
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        if self._server is not None:
            self._server.should_exit = True

    async def _serve(self) -> None:
        door: AsgiDoor = self.wsgi
        limits = Limits.of(door.settings, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self.config.app = door
        self.config.http = partial(GatewayProtocol, limits, door.prompt)
        self._server = server = Server(self.config)
        server.should_exit = self._stopping
        connections: Any = server.server_state.connections
        sweeping = asyncio.create_task(sweep(connections, limits.read_seconds))
        await server.serve(sockets=self.sockets)
        sweeping.cancel()
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


def raise_open_files() -> None:
    """Let this process and its workers open as many files as the system lets them, a connection being one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
