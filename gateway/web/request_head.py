"""The head of a request at the ASGI door, read as strictly as gunicorn reads it at the other.

llhttp, which parses, refuses most of what is ambiguous by itself; this adds what it lets through. Source:
RFC 9112 (HTTP/1.1) sections 3, 5 and 6, RFC 9110 sections 5.3, 5.5 and 10.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from gateway.errors import BadRequest, GatewayError
from gateway.framing import ExpectationFailed, HeadersTooLarge, UnsupportedTransferCoding, UriTooLong

MAX_LINE = 4_094  # these three are gunicorn's own
MAX_HEADER = 8_190
MAX_HEADERS = 100
MAX_HEAD = 65_536  # bytes, of all that comes before a body

_AROUND_TARGET = len(b"  HTTP/1.1")
_AROUND_VALUE = len(b": \r\n")
_ONCE = (b"host", b"content-type")
_WATCHED = frozenset((*_ONCE, b"content-length", b"transfer-encoding", b"expect"))
_NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_TARGET = re.compile(rb"[^\x21-\x7e]")
_PACKED = (b"compress", b"deflate", b"gzip")


class RequestHead:
    """Collects one head. Every method raises what is wrong: a BadRequest or one of ``framing``."""

    __slots__ = ("_watched", "count", "headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.count = 0
        self._watched: dict[bytes, list[bytes]] = {}

    def extend_target(self, method: bytes, piece: bytes) -> None:
        """Add to the target, which may come in pieces."""
        self.target += piece
        if len(method) + len(self.target) + _AROUND_TARGET > MAX_LINE:
            raise UriTooLong(f"a request line may have {MAX_LINE} bytes")

    def add(self, name: bytes, value: bytes, *, kept: bool = True) -> None:
        """Add a header, unless its name has an underscore, as gunicorn does. A trailer is not kept."""
        self.count += 1
        if self.count > MAX_HEADERS:
            raise HeadersTooLarge(f"a request may have {MAX_HEADERS} headers")
        if len(name) + len(value) + _AROUND_VALUE > MAX_HEADER:
            raise HeadersTooLarge(f"a header may have {MAX_HEADER} bytes")
        if _NOT_IN_VALUE.search(value):
            raise BadRequest("a header holds a control character")
        if not kept:
            return
        name, value = name.lower(), value.strip(b" \t")
        if name in _WATCHED:
            self._watched.setdefault(name, []).append(value)
        if b"_" not in name:
            self.headers.append((name, value))

    def check(self, version: str) -> None:
        """Look at the head as a whole."""
        if version not in ("1.0", "1.1"):
            raise BadRequest("HTTP/1.1 and HTTP/1.0 are spoken here")
        if _NOT_IN_TARGET.search(self.target):
            raise BadRequest("the target holds a character that must be percent-encoded")
        watched = self._watched
        for name in _ONCE:
            if len(watched.get(name, ())) > 1:
                raise BadRequest(f"the header {name.decode()} stands there twice")
        if any(value.lower() != b"100-continue" for value in watched.get(b"expect", ())):
            raise ExpectationFailed("the only expectation that is met is 100-continue")
        if b"transfer-encoding" in watched:
            _check_codings(watched, version)

    @property
    def framing(self) -> bytes | None:
        """The header that says how long the body is; None without a body."""
        if b"transfer-encoding" in self._watched:
            return b"transfer-encoding: chunked"
        lengths = self._watched.get(b"content-length")
        return b"content-length: " + lengths[0] if lengths else None

    @property
    def length(self) -> int | None:
        """The length of the body, where that and nothing else is announced of it."""
        watched = self._watched
        lengths = watched.get(b"content-length", ())
        if len(lengths) != 1 or not lengths[0].isdigit() or b"transfer-encoding" in watched:
            return None
        return int(lengths[0])

    @property
    def expects_continue(self) -> bool:
        """Whether the sender waits for 100 before it sends the body."""
        return b"expect" in self._watched

    def split_target(self) -> tuple[str, bytes, bytes]:
        """Give the path with its escapes undone, as it came, and the query."""
        raw = self.target.partition(b"#")[0]
        if not raw.startswith(b"/"):  # the absolute form, and what only proxies are asked for
            try:
                parts = urlsplit(raw)
            except ValueError:
                raise BadRequest("the target is no URL") from None
            path, query = parts.path, parts.query
        else:
            path, _, query = raw.partition(b"?")
        text = path.decode("ascii")
        return unquote(text) if "%" in text else text, path, query


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Give headers as Flask does under gunicorn: joined by commas, empty content headers left out.

    Names with an underscore are as good as absent: to WSGI they are those with a hyphen.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in found:
            found[name] = f"{found[name]},{value}"
        elif "_" not in name:
            found[name] = value
    for name in ("content-type", "content-length"):
        if found.get(name) == "":
            del found[name]
    return found


def _check_codings(watched: Mapping[bytes, list[bytes]], version: str) -> None:
    """Demand that ``chunked`` comes last and once, or else the end of the body would be guessed."""
    named = b",".join(watched[b"transfer-encoding"]).lower().split(b",")
    codings = [coding.strip(b" \t") for coding in named]
    wrong: GatewayError | None = None
    if any(coding not in (*_PACKED, b"identity", b"chunked") for coding in codings):
        wrong = UnsupportedTransferCoding("the only transfer coding that is read is chunked")
    elif codings.count(b"chunked") != 1 or codings[-1] != b"chunked":
        wrong = BadRequest("a transfer coding ends with chunked, once")
    elif version == "1.0" or b"content-length" in watched:
        wrong = BadRequest("Transfer-Encoding needs HTTP/1.1 and no Content-Length beside it")
    if wrong is not None:
        raise wrong
