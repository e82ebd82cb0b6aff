"""The request body, whole or refused, fed piece by piece by whichever door reads it.

Source: RFC 9110 section 8.4 (content codings), RFC 1952 (gzip).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from gateway.errors import IncompleteBody, MalformedBody, Refusal, TooLarge, UnsupportedEncoding
from gateway.model import Problem

MAX_RATIO = 100
RATIO_FLOOR = 65_536  # decoded bytes below which no ratio is too good
_GZIP = ("gzip", "x-gzip")  # two names of one coding
_CODINGS = {"content-encoding": ("", "identity", *_GZIP), "transfer-encoding": ("", "identity", "chunked")}
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way to ask for gzip and nothing else


class Body:
    """Collects a body within its limit, which holds for what is sent and for what that unpacks to."""

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        """Look at what is announced; ``limit`` in bytes. Raises TooLarge or UnsupportedEncoding."""
        for header, undone in _CODINGS.items():
            if header in headers and (coding := headers[header].strip().lower()) not in undone:
                raise _refusal(UnsupportedEncoding, f"{header} {coding[:40]} is not undone here")
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() else None
        if self.announced is not None and self.announced > limit:
            raise _refusal(TooLarge, f"the body has {self.announced} bytes, at most {limit} are read")
        self._limit = limit
        self._came = 0
        self._pieces: bytes | bytearray = b""
        packed = "content-encoding" in headers and headers["content-encoding"].strip().lower() in _GZIP
        self._gunzip = _Gunzip() if packed else None
        self._packed: bytes | bytearray = b""

    @property
    def missing(self) -> int:
        """How many bytes more to read, at most: what was announced, or one more than is allowed."""
        wanted = self._limit + 1 if self.announced is None else self.announced
        return wanted - self._came

    @property
    def size(self) -> int:
        """How many bytes are held, unpacked."""
        return len(self._pieces)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises TooLarge or MalformedBody."""
        self._came += len(piece)
        if self._came > self._limit:
            raise _refusal(TooLarge, f"the body has more than {self._limit} bytes")
        if self._gunzip is not None:
            self._packed = _longer(self._packed, piece)
            piece = self._gunzip.feed(piece, self._limit + 1 - len(self._pieces))
        self._pieces = _longer(self._pieces, piece)
        if len(self._pieces) > self._limit:
            raise _refusal(TooLarge, f"the body unpacks to more than {self._limit} bytes")

    @property
    def sent(self) -> bytes:
        """The bytes that came, packed as they may be: a signature is over them."""
        return bytes(self._pieces if self._gunzip is None else self._packed)

    def whole(self) -> bytes:
        """Give the body, unpacked. Raises IncompleteBody, MalformedBody or TooLarge."""
        if self.announced is not None and self._came < self.announced:
            told = f"{self.announced} bytes were announced, {self._came} came"
            raise _refusal(IncompleteBody, told)
        if self._gunzip is not None:
            self._gunzip.finish()
            self._check_ratio()
        return bytes(self._pieces)

    def _check_ratio(self) -> None:
        """Only of the whole, so that the answer does not depend on how the body was cut into pieces."""
        size = len(self._pieces)
        if size > RATIO_FLOOR and size > MAX_RATIO * self._came:
            told = f"{self._came} bytes unpack to {size}, more than {MAX_RATIO} times as many"
            raise _refusal(TooLarge, told)


def _longer(held: bytes | bytearray, piece: bytes) -> bytes | bytearray:
    """Add a piece; the only one, as that of a small event is, is never copied."""
    if not held:
        return piece
    if isinstance(held, bytes):
        held = bytearray(held)
    held += piece
    return held


class _Gunzip:
    """Undoes gzip in memory that is bounded by what may come out.

    One member, and nothing after it: readers differ on whether a second one belongs to the content.
    """

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=_GZIP_WINDOW)

    def feed(self, piece: bytes, most: int) -> bytes:
        """Give what the next bytes unpack to; of more than ``most`` bytes the rest is lost."""
        try:
            unpacked = self._stream.decompress(piece, most)
        except zlib.error as error:
            raise _refusal(MalformedBody, f"the gzip stream is broken: {error}") from None
        if self._stream.unused_data:
            raise _refusal(MalformedBody, "something follows the end of the gzip stream")
        return unpacked

    def finish(self) -> None:
        """Refuse a stream that has no end."""
        if not self._stream.eof:
            raise _refusal(MalformedBody, "the gzip stream is cut short")


def broken(error: Exception) -> MalformedBody:
    """Give the refusal of a body that cannot be read to its end."""
    return MalformedBody(told := f"the body broke off: {type(error).__name__}", [Problem("", "body", told)])


def _refusal(kind: type[Refusal], message: str) -> Refusal:
    return kind(message, [Problem("", "body", message)])
