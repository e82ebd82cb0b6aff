"""The request body, whole or refused, fed piece by piece by whichever door reads it."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import IncompleteBody, MalformedBody, Refusal, TooLarge, UnsupportedEncoding
from gateway.model import Problem

_CODINGS = {"content-encoding": ("", "identity"), "transfer-encoding": ("", "identity", "chunked")}


class Body:
    """Collects a body within its limit."""

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        """Look at what is announced; ``limit`` in bytes. Raises TooLarge or UnsupportedEncoding."""
        for header, undone in _CODINGS.items():
            coding = headers.get(header, "").strip().lower()
            if coding not in undone:
                raise _refusal(UnsupportedEncoding, f"{header} {coding[:40]} is not undone here")
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() else None
        if self.announced is not None and self.announced > limit:
            raise _refusal(TooLarge, f"the body has {self.announced} bytes, at most {limit} are read")
        self._limit = limit
        self._pieces = bytearray()

    @property
    def missing(self) -> int:
        """How many bytes more to read, at most: what was announced, or one more than is allowed."""
        wanted = self._limit + 1 if self.announced is None else self.announced
        return wanted - len(self._pieces)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises TooLarge."""
        self._pieces += piece
        if len(self._pieces) > self._limit:
            raise _refusal(TooLarge, f"the body has more than {self._limit} bytes")

    def whole(self) -> bytes:
        """Give the body. Raises IncompleteBody."""
        if self.announced is not None and len(self._pieces) < self.announced:
            told = f"{self.announced} bytes were announced, {len(self._pieces)} came"
            raise _refusal(IncompleteBody, told)
        return bytes(self._pieces)


def broken(error: Exception) -> MalformedBody:
    """Give the refusal of a body that cannot be read to its end."""
    return MalformedBody(told := f"the body broke off: {type(error).__name__}", [Problem("", "body", told)])


def _refusal(kind: type[Refusal], message: str) -> Refusal:
    return kind(message, [Problem("", "body", message)])
