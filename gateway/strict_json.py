"""JSON read strictly and fast, and written with the sender's own text inside: the door to orjson and msgspec.

``exact_json`` says what is refused, and why. It takes many times as long as a compiled parser, so it is asked
only for texts that a compiled parser's result does not prove harmless. There are two proofs:

* *As we would write it*: the parsed text, written again, is the text itself, but for white space. So no name
  stands twice, no number changed, and nothing was escaped that need not be.
* *Otherwise written*, such as ``\\/`` or ``1.50``: there are as many colons outside the strings as members in
  the parsed document, so no name stands twice; and no number has so many digits that it may have changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from gateway import exact_json
from gateway.exact_json import MAX_DEPTH, MAX_MEMBERS, MAX_NAME, escape

__all__ = ["MAX_DEPTH", "MAX_MEMBERS", "MAX_NAME", "escape"]

_TOO_SHORT_TO_BE_TOO_FULL = 2 * MAX_MEMBERS  # bytes: a member takes two at least, itself and a comma
_LEAP = MAX_NAME + 2
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_MANY_DIGITS = re.compile(rb"[0-9]{18}")
_items = msgspec.json.Decoder(list[msgspec.Raw])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def parse(text: bytes, pointer: str = "") -> Any:
    """Parse one JSON text. ``pointer`` is where it lies in the request, for the problems.

    Raises MalformedJson, InvalidEncoding, DuplicateKey, NumberOutOfRange, TooDeep or TooComplex.
    """
    return read(text, pointer)[0]


def read(text: bytes, pointer: str = "", above: int = 0) -> tuple[Any, bool]:
    """Parse one JSON text that lies ``above`` levels deep; raises as ``parse``.

    The second value is whether ``dump`` of the data, or of a part of it, gives the sender's own text again,
    less the white space between the tokens.
    """
    try:
        data = orjson.loads(text)
        written = orjson.dumps(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter of what is nested very deeply
        return exact_json.parse(text, pointer, above), False
    same = written == text or written == compact(text)
    if (same or _names_and_numbers_kept(text, data)) and _within_limits(written, data, above):
        return data, same
    return exact_json.parse(text, pointer, above), False


def items(text: bytes) -> list[bytes] | None:
    """Cut an array into the text of each item, not parsed yet; None for JSON that is no array.

    Raises as ``parse`` for what can be seen not to be JSON.
    """
    views = cut(text)
    return None if views is None else list(map(bytes, views))


def cut(text: bytes) -> Sequence[msgspec.Raw] | None:
    """The same without a copy of any item: ``bytes`` makes one."""
    try:
        return _items.decode(text)
    except msgspec.DecodeError:
        parse(text)
        return None


def members(text: bytes) -> dict[str, bytes]:
    """Cut an object into the exact text of each member. The text must have passed ``parse``."""
    return {name: bytes(raw) for name, raw in _members.decode(text).items()}


def dump(value: Any) -> bytes:
    """Write compact JSON; ``verbatim`` parts are written as they are."""
    return orjson.dumps(value)


def dump_structs(value: Any) -> bytes:
    """Write compact JSON of what holds Structs."""
    return _encode(value)


def dump_with(head: msgspec.Struct, name: str, value: Any) -> bytes:
    """Write a Struct that is not empty as an object, with one member more, that ``dump`` can write."""
    return b"".join((_encode(head)[:-1], b',"', name.encode(), b'":', orjson.dumps(value), b"}"))


def to_dict(value: msgspec.Struct) -> dict[str, Any]:
    """Give what a Struct is written as."""
    return dict(msgspec.to_builtins(value))


def compact(text: bytes) -> bytes:
    """Take the white space between the tokens out, and change nothing else. The text must be JSON."""
    return msgspec.json.format(text, indent=-1)


def verbatim(text: bytes) -> orjson.Fragment:
    """Mark a JSON text to be written unchanged, digit for digit, inside what ``dump`` writes."""
    return orjson.Fragment(text)


def canonical(value: Any) -> bytes:
    """Write compact JSON with sorted names, so that equal documents give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _names_and_numbers_kept(text: bytes, data: Any) -> bool:
    """The second proof. The text is JSON, so what is left without its strings is brackets and numbers."""
    bare = _STRING.sub(b"", text)
    return not _MANY_DIGITS.search(bare) and bare.count(b":") == _names(data)


def _names(data: Any) -> int:
    """Count the members of all objects."""
    found, pending = 0, [data]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            found += len(node)
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return found


def _within_limits(text: bytes, data: Any, above: int) -> bool:
    """Look for what only a text within the limits can be, and only if in doubt at all of it.

    Around a name beyond its limit no two quotation marks are as near as a leap, unless it has one, escaped.
    """
    # ``replace`` leaps from bracket to bracket, where ``count`` looks at every byte.
    brackets = 2 * len(text) - len(text.replace(b"{", b"")) - len(text.replace(b"[", b""))
    if brackets + above > MAX_DEPTH and exact_json.depth(text) + above > MAX_DEPTH:
        return False
    if len(text) <= MAX_NAME:
        return True
    if len(text) < _TOO_SHORT_TO_BE_TOO_FULL and b"\\" not in text:
        at = 0
        while at >= 0 and at + _LEAP < len(text):
            at = text.rfind(b'"', at + 1, at + _LEAP)
        if at >= 0:
            return True
    return exact_json.size_fault(data) is None
