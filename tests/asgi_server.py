"""The ASGI door as a WSGI application, so that one test client drives both doors.

A request that is whole goes over a socket to the protocol that the worker has, in one segment if it is small;
one that breaks off becomes the messages that the protocol would make of it.
"""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from collections.abc import Callable, Iterable, MutableMapping
from http import HTTPStatus
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.web.asgi import REASON, AsgiDoor
from gateway.web.body import broken
from gateway.web.deadlines import Limits
from gateway.web.http_protocol import GatewayProtocol
from gateway.web.request_head import MAX_LINE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_PIECE = 20_000  # several for a large body, one for a small one
_CONTENT = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
_UNESCAPED = "/:@!$&'()*+,;=~"
_LOOP = asyncio.new_event_loop()
threading.Thread(target=_LOOP.run_forever, name="asgi-tests", daemon=True).start()


def through_asgi(door: AsgiDoor) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Make the environment of a request a scope, its stream messages, and the messages back an answer."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if (body := _whole(environ)) is not None:
            return _over_a_socket(door, environ, body, start_response)
        sent: list[MutableMapping[str, Any]] = []
        pieces = _Body(environ)

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def answer() -> None:
            await door(_scope(environ), pieces.receive, send)

        asyncio.run_coroutine_threadsafe(answer(), _LOOP).result(60)
        start = sent[0]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        start_response(f"{start['status']} {HTTPStatus(start['status']).phrase}", headers)
        return [message.get("body", b"") for message in sent[1:]]

    return application


def _whole(environ: dict[str, Any]) -> bytes | None:
    """The body, if all that is announced is there; None, and nothing is read, if it comes otherwise."""
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in environ or not isinstance(stream, io.BytesIO) or not length.isdigit():
        return None
    if len(_head(environ)) > MAX_LINE:  # or it might be one that no server of either door takes
        return None
    body = stream.getvalue()
    return body if len(body) == int(length) else None


def _over_a_socket(
    door: AsgiDoor, environ: dict[str, Any], body: bytes, start_response: StartResponse
) -> Iterable[bytes]:
    """Send one request over a connection of its own."""
    ours, theirs = socket.socketpair()
    asyncio.run_coroutine_threadsafe(_serve(door, theirs), _LOOP).result(60)
    with ours:
        ours.settimeout(60)
        ours.sendall(_head(environ) + body)
        answer = HTTPResponse(ours, method=environ["REQUEST_METHOD"])
        answer.begin()
        told = answer.read()
    headers = [(name, value) for name, value in answer.getheaders() if name not in ("date", "connection")]
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [told]


async def _serve(door: AsgiDoor, connection: socket.socket) -> None:
    config = Config(door, lifespan="off", log_config=None, server_header=False)
    config.load()
    loop, limits = asyncio.get_running_loop(), Limits(60, 60, 10)
    await loop.connect_accepted_socket(
        lambda: GatewayProtocol(limits, door.prompt, config, ServerState(), {}), connection
    )


def _head(environ: dict[str, Any]) -> bytes:
    query = environ.get("QUERY_STRING", "")
    target = (quote(environ["PATH_INFO"], _UNESCAPED, "latin-1") or "/") + (f"?{query}" if query else "")
    lines = [f"{environ['REQUEST_METHOD']} {target} HTTP/1.1".encode("latin-1")]
    return b"\r\n".join([*lines, *(name + b": " + value for name, value in _headers(environ)), b"", b""])


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
