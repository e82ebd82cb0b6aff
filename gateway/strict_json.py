"""JSON read strictly, and written with the sender's own text inside: the one door to orjson and msgspec.

What lenient parsers let through differs from parser to parser (RFC 8259 section 4, RFC 7493), and a document
that two readers read differently must not be published. Refused here: text that is not UTF-8, a byte order
mark, duplicate names, NaN and Infinity, numbers no reader agrees on, lone surrogates, trailing text, and
documents nested or filled beyond the limits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from gateway.errors import (
    DuplicateKey,
    InvalidEncoding,
    MalformedJson,
    NumberOutOfRange,
    Refusal,
    TooComplex,
    TooDeep,
)
from gateway.model import Problem

MAX_DEPTH = 64
MAX_MEMBERS = 10_000
MAX_NAME = 1_024  # bytes
_MAX_QUOTE = 60
# The range every common reader holds exactly as an integer of 64 bits, signed or unsigned.
_INT_RANGE = range(-(2**63), 2**64)


def parse(text: bytes, pointer: str = "") -> Any:
    """Parse one JSON text. ``pointer`` is where it lies in the request, for the problems.

    Raises MalformedJson, InvalidEncoding, DuplicateKey, NumberOutOfRange, TooDeep or TooComplex.
    """
    string = _decode(text, pointer)
    _check_depth(text, pointer)
    duplicates: list[tuple[dict[str, Any], str]] = []
    try:
        data = json.loads(
            string,
            object_pairs_hook=lambda pairs: _object(pairs, duplicates),
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
        )
        orjson.dumps(data)
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise _refusal(MalformedJson, pointer, "json", where) from None
    except _BadNumber as error:
        place = pointer + _place_of_bad_number(string)
        raise _refusal(error.refusal, place, "number", str(error)) from None
    except orjson.JSONEncodeError:
        raise _refusal(
            InvalidEncoding, pointer, "utf-8", "an escape such as \\ud800 is half a character"
        ) from None
    _check_size(data, pointer)
    if duplicates:
        raise _duplicate_keys(data, duplicates, pointer)
    return data


def members(text: bytes) -> dict[str, bytes]:
    """Cut an object into the exact text of each member. The text must have passed ``parse``."""
    return {name: bytes(raw) for name, raw in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()}


def items(text: bytes) -> list[bytes]:
    """Cut an array into the exact text of each item. The text must have passed ``parse``."""
    return [bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]


def dump(value: Any) -> bytes:
    """Write compact JSON; ``verbatim`` parts are written as they are."""
    return orjson.dumps(value)


def compact(text: bytes) -> bytes:
    """Take the white space between the tokens out, and change nothing else. The text must be JSON."""
    return msgspec.json.format(text, indent=-1)


def verbatim(text: bytes) -> orjson.Fragment:
    """Mark a JSON text to be written unchanged, digit for digit, inside what ``dump`` writes."""
    return orjson.Fragment(text)


def canonical(value: Any) -> bytes:
    """Write compact JSON with sorted names, so that equal documents give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def escape(token: str | int) -> str:
    """Escape one step of a JSON Pointer (RFC 6901 section 3)."""
    return str(token).replace("~", "~0").replace("/", "~1")


class _BadNumber(Exception):
    def __init__(self, refusal: type[Refusal], message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


def _refusal(kind: type[Refusal], pointer: str, keyword: str, message: str) -> Refusal:
    return kind(message, [Problem(pointer, keyword, message)])


def _decode(text: bytes, pointer: str) -> str:
    if not text.strip(b" \t\r\n"):
        raise _refusal(MalformedJson, pointer, "json", "the body is empty")
    if b"\0" in text[:2]:  # what every text in UTF-16 or UTF-32 has there, and none in UTF-8
        raise _refusal(InvalidEncoding, pointer, "utf-8", "this looks like UTF-16 or UTF-32")
    if text.startswith(b"\xef\xbb\xbf"):
        raise _refusal(MalformedJson, pointer, "json", "a byte order mark stands before the JSON")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not part of a UTF-8 character"
        raise _refusal(InvalidEncoding, pointer, "utf-8", message) from None


def _check_depth(text: bytes, pointer: str) -> None:
    """Refuse deep nesting before the recursive parser meets it."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    in_string = escaped = False
    for byte in text:
        if in_string:
            in_string = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _refusal(TooDeep, pointer, "depth", f"nested deeper than {MAX_DEPTH} levels")
        elif byte in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]], duplicates: list[tuple[dict[str, Any], str]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                duplicates.append((members, name))
            seen.add(name)
    return members


def _refuse_constant(name: str) -> float:
    raise _BadNumber(MalformedJson, f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 20 or int(digits) not in _INT_RANGE:
        raise _BadNumber(NumberOutOfRange, f"an integer of {len(digits)} digits is beyond 64 bits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _BadNumber(NumberOutOfRange, f"{digits[:40]} is beyond double precision")
    return number


def _place_of_bad_number(string: str) -> str:
    """Read a text again whose numbers were refused, to give the pointer of the first such."""
    marks: list[dict[str, Any]] = []

    def marking(read: Callable[[str], Any]) -> Callable[[str], Any]:
        def mark(digits: str) -> Any:
            try:
                return read(digits)
            except _BadNumber:
                marks.append({})
                return marks[-1]

        return mark

    integer, number, constant = map(marking, (_integer, _number, _refuse_constant))
    try:
        data = json.loads(string, parse_int=integer, parse_float=number, parse_constant=constant)
    except json.JSONDecodeError:
        return ""
    place = _places(data, {id(marks[0])}).get(id(marks[0]), "")
    return place if len(place) <= MAX_NAME else ""


def _duplicate_keys(data: Any, found: list[tuple[dict[str, Any], str]], pointer: str) -> Refusal:
    places = _places(data, {id(members) for members, _ in found})
    pointers = {  # an object that a later duplicate replaced has no place; that duplicate is told
        f"{pointer}{places[id(members)]}/{escape(name[:_MAX_QUOTE])}"
        for members, name in found
        if id(members) in places
    }
    problems = [Problem(place, "duplicate-key", "named more than once") for place in sorted(pointers)]
    return DuplicateKey("a member is named more than once in one object", problems)


def _places(data: Any, wanted: set[int]) -> dict[int, str]:
    """Give the pointers of some objects; only theirs are spelled out, since all would be far more text."""
    nodes: list[tuple[Any, int, str | int]] = [(data, -1, "")]
    places: dict[int, str] = {}
    for index, (node, _, _) in enumerate(nodes):  # grows as it goes
        if id(node) in wanted:
            places[id(node)] = _path(nodes, index)
        children = node.items() if isinstance(node, dict) else enumerate(node)
        nodes.extend((child, index, step) for step, child in children if isinstance(child, dict | list))
    return places


def _path(nodes: list[tuple[Any, int, str | int]], index: int) -> str:
    steps: list[str] = []
    while nodes[index][1] >= 0:
        steps.append(f"/{escape(nodes[index][2])}")
        index = nodes[index][1]
    return "".join(reversed(steps))


def _check_size(value: Any, pointer: str) -> None:
    pending = [value]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict | list):
            continue
        if len(node) > MAX_MEMBERS:
            message = f"an object or array has more than {MAX_MEMBERS} members"
            raise _refusal(TooComplex, pointer, "size", message)
        if isinstance(node, dict):
            if any(len(name) * 4 > MAX_NAME and len(name.encode()) > MAX_NAME for name in node):
                raise _refusal(TooComplex, pointer, "size", f"a name is longer than {MAX_NAME} bytes")
            pending.extend(node.values())
        else:
            pending.extend(node)
