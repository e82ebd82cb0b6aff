"""Several events in one document: each becomes a document of its own, the whole with its array cut to one.

The text is cut, not written anew: it stays the sender's, digit for digit, and a thousand events do not cost a
thousand documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from gateway import strict_json
from gateway.model import Document

_NAME = re.compile(rb'"(?:[^"\\]|\\.)*":')


def cut(document: Document, path: Sequence[str]) -> Iterator[Document]:
    """Give a document for each item of the array that the members of ``path`` lead to."""
    where = document.pointer + "".join(f"/{strict_json.escape(member)}" for member in path)
    parts = [_with_one(document.data, path, place) for place in range(len(_at(document.data, path)))]
    for place, (data, payload) in enumerate(zip(parts, _payloads(document, path, parts), strict=True)):
        yield replace(
            document,
            data=data,
            payload=payload,
            pointer=f"{where}/{place}",
            fresh_id=f"{document.fresh_id}-{place}",
            place=place,
        )


def _payloads(document: Document, path: Sequence[str], parts: Sequence[Any]) -> Sequence[Any]:
    """Where writing the data gives the sender's text again, the parts do; else the text itself is cut."""
    if document.payload is document.data:
        return parts
    before, texts, after = around(strict_json.dump(document.payload), path)
    return [strict_json.verbatim(b"".join((before, text, after))) for text in texts]


def around(text: bytes, path: Sequence[str]) -> tuple[bytes, list[bytes], bytes]:
    """Cut a text at an array: what is before its items, they, and what is after them.

    The text must have passed ``parse`` and ``compact``. Raises KeyError where a member is missing.
    """
    before, after = b"", b""
    for member in path:
        at, value = _find(text, member)
        before, after, text = before + text[:at], text[at + len(value) :] + after, value
    return before + b"[", strict_json.items(text) or [], b"]" + after


def _find(text: bytes, member: str) -> tuple[int, bytes]:
    """Give where the value of a member begins, and the value."""
    at = 1
    for name, value in strict_json.members(text).items():  # in the order of the text: no name is there twice
        found = _NAME.match(text, at)
        at = found.end() if found else at
        if name == member:
            return at, value
        at += len(value) + 1
    raise KeyError(member)


def _at(data: Any, path: Sequence[str]) -> Any:
    for member in path:
        data = data[member]
    return data


def _with_one(data: Any, path: Sequence[str], place: int) -> Any:
    if not path:
        return [data[place]]
    return {**data, path[0]: _with_one(data[path[0]], path[1:], place)}
