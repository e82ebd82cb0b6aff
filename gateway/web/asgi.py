"""The ASGI application: it takes events itself, on an event loop, and leaves the rest to Flask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from gateway import slices
from gateway.errors import Overloaded, Refusal
from gateway.promises import Promise
from gateway.publishing.poller import Poller
from gateway.settings import Settings
from gateway.web import body
from gateway.web.answers import Answer
from gateway.web.apart import LARGE_BYTES, Apart
from gateway.web.body import Body
from gateway.web.door import Arrival, Door, fault, new_id
from gateway.web.prompt import WHOLE_BYTES, Prompt
from gateway.web.request_head import by_name
from gateway.web.routes import Intake, Routes, intakes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Beside what ASGI says of it, the server's ``http.disconnect`` may name the reason: a Refusal.
REASON = "gateway.reason"

_OPERATORS = 4  # threads for what is left to Flask: operators' paths, and what is wrong with a path or method
_FREE = 16_384  # bytes of each body that are not counted: small events come in, whoever sends large ones


class AsgiDoor:
    """One for each worker; it belongs to the event loop that first calls it."""

    def __init__(self, settings: Settings, door: Door, flask: Flask, poller: Poller) -> None:
        self.settings = settings
        self._door = door
        self._routes = Routes(intakes(settings.systems))
        self.prompt = Prompt(door, self._routes, poller)
        self._bridge = WSGIMiddleware(flask.wsgi_app, workers=_OPERATORS)  # type: ignore[arg-type]
        self._unread_limit = settings.max_in_flight_bytes
        self._unread = 0
        self._apart = Apart(poller)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._routes.find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._bridge(_without_underscores(scope), receive, send)  # type: ignore[arg-type]
            return
        try:
            answer = await self._answer(scope, *found, receive)
        except Exception as error:  # a bug: the server would tell of it in a form of its own
            answer = fault(error, new_id())
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, intake: Intake, resource: str | None, receive: Receive) -> Answer:
        query = scope["query_string"].decode("latin-1")
        arrival = self._door.arrive(intake, scope["path"], by_name(scope["headers"]), resource, query)
        try:
            reading = self._door.body(arrival)
            await self._read(reading, receive)
        except Refusal as refusal:
            return self._door.refuse(arrival, refusal)
        except Overloaded as overloaded:
            return self._door.fail(arrival, overloaded)
        try:
            return await self._take(arrival, reading)
        except TimeoutError:
            return self._door.late(arrival)

    async def _take(self, arrival: Arrival, reading: Body) -> Answer:
        """Publish, a long body in slices and a larger one in a thread, and wait. Raises TimeoutError."""
        if reading.size >= LARGE_BYTES:
            return await self._apart.take(partial(self._door.take, arrival, reading), self._answered)
        if reading.size > WHOLE_BYTES:
            taken = await slices.spread(self._door.taking(arrival, reading))
        else:
            taken = self._door.take(arrival, reading)
        if taken.done():
            answer = taken.result()
            hold = self.prompt.turns.hold(answer.status, time.perf_counter() - arrival.began)
            await asyncio.sleep(hold)
            return answer
        return await self._answered(taken)

    async def _answered(self, taken: Promise[Answer]) -> Answer:
        turns = self.prompt.turns
        turns.waiting += 1
        try:
            return await self.prompt.wakeups.result(taken, self._door.longest_wait)
        finally:
            turns.waiting -= 1

    async def _read(self, reading: Body, receive: Receive) -> None:
        """Feed all of the body. Raises a Refusal, or Overloaded when too much is half read."""
        counted = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    _end(reading, message.get(REASON))
                    return
                if piece := message.get("body"):
                    reading.feed(piece)
                if not message.get("more_body"):
                    return
                more = max(0, reading.size - _FREE) - counted
                if self._unread + more > self._unread_limit:
                    raise Overloaded("too many large bodies are on their way")
                counted, self._unread = counted + more, self._unread + more
        finally:
            self._unread -= counted


def _end(reading: Body, reason: Refusal | None) -> None:
    """Make of a body that ends early what it is at every door. Raises a Refusal."""
    if reason is not None:
        raise reason
    if reading.announced is None:
        raise body.broken(EOFError())


def _without_underscores(scope: Scope) -> Scope:
    return {**scope, "headers": [pair for pair in scope.get("headers", ()) if b"_" not in pair[0]]}


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"content-length", b"%d" % len(answer.body)),
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers),
    ]
