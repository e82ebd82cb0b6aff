"""An ASGI server in memory that looks like a WSGI application, so that one test client drives both doors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway.web.asgi import REASON, AsgiDoor
from gateway.web.body import broken

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_PIECE = 20_000  # several for a large body, one for a small one
_CONTENT = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
_LOOP = asyncio.new_event_loop()
threading.Thread(target=_LOOP.run_forever, name="asgi-tests", daemon=True).start()


def through_asgi(door: AsgiDoor) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Make the environment of a request a scope, its stream messages, and the messages back an answer."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        sent: list[MutableMapping[str, Any]] = []
        body = _Body(environ)

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def answer() -> None:
            await door(_scope(environ), body.receive, send)

        asyncio.run_coroutine_threadsafe(answer(), _LOOP).result(60)
        start = sent[0]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        start_response(f"{start['status']} {HTTPStatus(start['status']).phrase}", headers)
        return [message.get("body", b"") for message in sent[1:]]

    return application


class _Body:
    """The stream of a request as messages; what ends too early, or badly, is a client that has gone."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._stream = environ["wsgi.input"]
        self._chunked = "HTTP_TRANSFER_ENCODING" in environ
        self._missing = int(environ.get("CONTENT_LENGTH") or 0)

    async def receive(self) -> MutableMapping[str, Any]:
        try:
            piece = self._stream.read(_PIECE if self._chunked else min(_PIECE, self._missing))
        except OSError as error:
            return {"type": "http.disconnect", REASON: broken(error)}
        self._missing -= len(piece)
        if not piece and not self._chunked and self._missing > 0:
            return {"type": "http.disconnect"}
        more = bool(piece) if self._chunked else self._missing > 0
        return {"type": "http.request", "body": piece, "more_body": more}


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    path = environ["PATH_INFO"].encode("latin-1")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": "http",
        "root_path": "",
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": list(_headers(environ)),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "client": None,
    }


def _headers(environ: dict[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").lower().encode(), value.encode("latin-1")
        elif name in _CONTENT and value:
            yield _CONTENT[name].encode(), value.encode("latin-1")
