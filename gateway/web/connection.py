"""One connection: how long it may wait for what, and how it ends.

uvicorn waits for ever for a request that has begun. Here each connection says until when it may stay as it is
(``due``), and one sweep for all of them ends what is late.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from math import inf
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.errors import GatewayError, Overloaded, RequestTimeout
from gateway.web import answers
from gateway.web.deadlines import LINGER_SECONDS, PACE, Limits
from gateway.web.door import named, new_id
from gateway.web.http_cycle import Cycle, Exit

logger = logging.getLogger(__name__)

_AT_ONCE = struct.pack("ii", 1, 0)
_TOLD = 100  # connections over the limit that are answered; they too are open files


class Connection(HttpToolsProtocol):
    """What uvicorn's has, and an end to all waiting."""

    cycle: Cycle

    def __init__(
        self,
        limits: Limits,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._in_head = False  # a request has begun, and its headers are not complete
        self._deaf = False  # what still comes is thrown away
        self._half_closed = False
        self._stopping = False
        self.due = inf
        self.write_due = inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._exit = Exit(self.transport, self._finish)
        self._wait(self._limits.read_seconds)
        over = len(self.connections) - self._limits.connections
        if over > _TOLD:
            self._abort()
        elif over > 0:
            self._refuse(Overloaded("too many connections are open"))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what has come whole, and what has not as cut short."""
        self._half_closed = True
        if not self._busy:
            return False
        if self.cycle.more_body and not self.cycle.ended:
            self.cycle.end()
        self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Give a client that does not read its answers as long as one that does not send."""
        super().pause_writing()
        self.write_due = self.loop.time() + self._limits.read_seconds

    def resume_writing(self) -> None:
        """Go on, the answers are being read."""
        super().resume_writing()
        self.write_due = inf

    def shutdown(self) -> None:
        """Finish what is under way; a kept connection has a moment for a request that is on its way."""
        self._stopping = True
        if self._busy:
            self.cycle.keep_alive = False
        else:
            self.due = min(self.due, self.loop.time() + LINGER_SECONDS)

    def expire(self) -> None:
        """End what has waited too long; the sweep has found ``due`` in the past."""
        waits = self._busy and (self._deaf or not self.cycle.more_body)
        if self.transport.is_closing() or self.flow.write_paused or (self._deaf and not waits):
            self._abort()
        elif waits:
            self.due = inf  # for an answer; what stalls behind that request has its turn
        elif self._in_head:
            self._refuse(RequestTimeout(f"the headers took more than {self._limits.read_seconds:g} s"))
        elif self._busy:
            told = f"nothing of the body came for {self._limits.read_seconds:g} s, or under {PACE} bytes/s"
            self.cycle.end(RequestTimeout(told))
            self.due = inf  # it is answered now
        else:
            self._close()

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self.due = self.loop.time() + seconds

    def _finish(self) -> None:
        """Close after the last answer, which a close would take from a client that is still sending."""
        if not self.cycle.more_body or self._half_closed:
            self._close()
        else:
            self._linger()

    def _close(self) -> None:
        self.transport.close()
        self._wait(self._limits.read_seconds)

    def _abort(self) -> None:
        """Close now, and let the system forget what it still holds for a client that does not read."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    def _linger(self) -> None:
        self._deaf = True
        self.flow.resume_reading()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._wait(LINGER_SECONDS)

    def _refuse(self, error: GatewayError) -> None:
        """Answer in place of the application, unless an earlier request is still to be answered."""
        self._deaf = True
        if self._busy:
            self.cycle.keep_alive = False
            return
        id = new_id()
        logger.info("refused", extra={"request": id, "type": error.type})
        answer = named(answers.problem(error, id), id)
        self.transport.write(answers.on_the_wire(answer, self.server_state.default_headers))
        if self._half_closed:
            self._close()
        else:
            self._linger()
