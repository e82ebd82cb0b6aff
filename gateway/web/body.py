"""The request body, read whole or refused: Werkzeug cuts long bodies and takes short ones silently."""

from __future__ import annotations

from flask import Request
from gunicorn.http.errors import ParseException

from gateway.errors import IncompleteBody, MalformedBody, Refusal, TooLarge, UnsupportedEncoding
from gateway.model import Problem

_PIECE = 65_536
_CODINGS = {"Content-Encoding": ("", "identity"), "Transfer-Encoding": ("", "identity", "chunked")}


def read_body(request: Request, limit: int) -> bytes:
    """Read all of the body.

    Raises TooLarge, IncompleteBody, MalformedBody or UnsupportedEncoding; gunicorn reads what is left of the
    body before the next request of the connection.
    """
    for header, undone in _CODINGS.items():
        coding = request.headers.get(header, "").strip().lower()
        if coding not in undone:
            raise _refusal(UnsupportedEncoding, f"{header} {coding[:40]} is not undone here")
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _refusal(TooLarge, f"the body has {announced} bytes, at most {limit} are read")
    body = _read(request, limit)
    if announced is not None and len(body) < announced:
        raise _refusal(IncompleteBody, f"{announced} bytes were announced, {len(body)} came")
    return body


def _read(request: Request, limit: int) -> bytes:
    stream = request.environ["wsgi.input"]
    pieces = bytearray()
    announced = request.content_length
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    wanted = limit + 1 if announced is None else announced
    try:
        while len(pieces) < wanted and (piece := stream.read(min(_PIECE, wanted - len(pieces)))):
            pieces += piece
    except (OSError, ParseException) as error:
        message = f"the body broke off: {type(error).__name__}"
        raise _refusal(MalformedBody, message) from error
    if len(pieces) > limit:
        raise _refusal(TooLarge, f"the body has more than {limit} bytes")
    return bytes(pieces)


def _refusal(kind: type[Refusal], message: str) -> Refusal:
    return kind(message, [Problem("", "body", message)])
