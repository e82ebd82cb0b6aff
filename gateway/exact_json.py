"""JSON read strictly by the slow and sure way, and every refusal of it: ``strict_json`` is the way in.

What lenient parsers let through differs from parser to parser (RFC 8259 section 4, RFC 7493), and a document
that two readers read differently must not be published. Refused here: text that is not UTF-8, a byte order
mark, duplicate names, NaN and Infinity, numbers no reader agrees on, lone surrogates, trailing text, and
documents nested or filled beyond the limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

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
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)  # to the end of the text if nothing ends it
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_write = json.JSONEncoder(ensure_ascii=False).encode


def parse(text: bytes, pointer: str = "", above: int = 0) -> Any:
    """Parse one JSON text. ``pointer`` is where it lies in the request, ``above`` how many levels deep.

    Raises MalformedJson, InvalidEncoding, DuplicateKey, NumberOutOfRange, TooDeep or TooComplex.
    """
    string = _decode(text, pointer)
    if depth(text) + above > MAX_DEPTH:  # before the recursive parser meets it
        raise _refusal(TooDeep, pointer, "depth", f"nested deeper than {MAX_DEPTH} levels")
    duplicates: list[tuple[dict[str, Any], str]] = []
    try:
        data = json.loads(
            string,
            object_pairs_hook=lambda pairs: _object(pairs, duplicates),
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
        )
        if "\\u" in string:
            _write(data).encode()
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise _refusal(MalformedJson, pointer, "json", where) from None
    except _BadNumber as error:
        place = pointer + _place_of_bad_number(string)
        raise _refusal(error.refusal, place, "number", str(error)) from None
    except UnicodeEncodeError:
        raise _refusal(
            InvalidEncoding, pointer, "utf-8", "an escape such as \\ud800 is half a character"
        ) from None
    if fault := size_fault(data):
        raise _refusal(TooComplex, pointer, "size", fault)
    if duplicates:
        raise _duplicate_keys(data, duplicates, pointer)
    return data


def depth(text: bytes) -> int:
    """Give how deep objects and arrays lie in one another, also of a text that is not JSON."""
    level = deepest = 0
    for bracket in _STRING.sub(b"", text).translate(None, delete=_NO_BRACKETS):
        level += 1 if bracket in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def size_fault(data: Any) -> str | None:
    """Say which limit on members and names is broken, if one is."""
    pending = [data]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict | list):
            continue
        if len(node) > MAX_MEMBERS:
            return f"an object or array has more than {MAX_MEMBERS} members"
        if isinstance(node, dict):
            if any(len(name) * 4 > MAX_NAME and len(name.encode()) > MAX_NAME for name in node):
                return f"a name is longer than {MAX_NAME} bytes"
            pending.extend(node.values())
        else:
            pending.extend(node)
    return None


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
