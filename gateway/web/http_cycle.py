"""One request of a connection, and its answer: uvicorn's, that can end before the body does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.errors import GatewayError
from gateway.web.asgi import REASON


class Cycle(RequestResponseCycle):
    """One request and its answer; its body can end early, for a reason."""

    transport: Exit  # type: ignore[assignment]
    reason: GatewayError | None = None
    ended = False

    def end(self, reason: GatewayError | None = None) -> None:
        """Let the application know that no more will come. The connection serves nothing after this."""
        self.reason, self.ended, self.keep_alive = reason, True, False
        self.message_event.set()

    async def receive(self) -> Any:
        """Give the next piece, or the end; in uvicorn's form."""
        if self.ended and not self.body:
            return {"type": "http.disconnect", REASON: self.reason}
        return await super().receive()

    async def send(self, message: Any) -> None:
        """Send a part of the answer; one to a request that is not read whole is the last."""
        begins = not self.response_started
        if self.more_body and begins:
            self.keep_alive = False
        self.transport.holds = begins
        await super().send(message)
        if not begins:
            self.transport.flush()


class Exit:
    """What a cycle sees of its transport. To close is left to the connection.

    The head of an answer waits for what follows it: a call of the system costs as much as to read a request.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.is_closing = transport.is_closing
        self.holds = False  # what is written next waits
        self._write, self._close = transport.write, close
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send, behind what has waited."""
        data, self._held = self._held + data, b""
        if self.holds:
            self._held, self.holds = data, False
        else:
            self._write(data)

    def flush(self) -> None:
        """Send what waits, since nothing follows it."""
        if self._held:
            self.write(b"")

    def close(self) -> None:
        """Close, once all is sent."""
        self.holds = False
        self.flush()
        self._close()
