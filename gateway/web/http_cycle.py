"""One request of a connection, and its answer: uvicorn's, that can end before the body does."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.errors import GatewayError
from gateway.web.asgi import REASON


class Cycle(RequestResponseCycle):
    """One request and its answer; its body can end early, for a reason."""

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
        if self.more_body and not self.response_started:
            self.keep_alive = False
        await super().send(message)


class Exit:
    """What a cycle sees of its transport. To close is left to the connection."""

    def __init__(self, transport: asyncio.Transport, close: Any) -> None:
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close
