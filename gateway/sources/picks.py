"""Picks: how a declaration says where in a document a value stands, and what is to be done with it.

Each is made once, at start, into a function. None can loop, and none costs more than the document is long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jsonpointer import JsonPointer

from gateway import strict_json, timestamps
from gateway.errors import Refusal, SchemaViolation
from gateway.formats import uri_reference
from gateway.model import Problem
from gateway.sources.source import text_of

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
WHOLE = "#"  # before a pointer that starts at the document, not at the item of a group


@dataclass(frozen=True, slots=True)
class Scene:
    """What pointers point into: one event, the document it came in, and where each of them lies."""

    item: Any
    whole: Any
    pointer: str = ""
    base: str = ""


Pick = Callable[[Scene], Any]


def compile_pick(declared: Any) -> Pick:
    """Give the function of a pick that its schema has accepted; it gives None where nothing stands.

    The function raises SchemaViolation, with the place, for a value that cannot be transformed.
    """
    if isinstance(declared, str):
        return _pointed(declared)
    if isinstance(declared, Sequence):
        return _first([_pointed(pointer) for pointer in declared])
    if "const" in declared:
        return lambda scene: declared["const"]
    if "join" in declared:
        return _joined([compile_pick(part) for part in declared["join"]], declared.get("with", ""))
    return _transformed(declared)


def resolve(pointer: JsonPointer, document: Any) -> Any:
    """Give what stands at a pointer (RFC 6901); None where nothing does.

    The library's own walk goes on into the characters of a string, and past the end of an array.
    """
    for part in pointer.parts:
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and _INDEX.fullmatch(part) and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    return document


def place(declared: Any, scene: Scene) -> str:
    """Give where a pick looks: its first pointer that leads to something, else its first, else the event."""
    if isinstance(declared, Mapping):
        declared = declared.get("from", ())
    pointers = [declared] if isinstance(declared, str) else declared
    if not pointers:
        return scene.pointer
    filled = next((p for p in pointers if _pointed(p)(scene) not in (None, "")), pointers[0])
    return scene.base + filled.removeprefix(WHOLE) if filled.startswith(WHOLE) else scene.pointer + filled


def _pointed(declared: str) -> Pick:
    pointer = JsonPointer(declared.removeprefix(WHOLE))
    if declared.startswith(WHOLE):
        return lambda scene: resolve(pointer, scene.whole)
    return lambda scene: resolve(pointer, scene.item)


def _first(picks: Sequence[Pick]) -> Pick:
    def first(scene: Scene) -> Any:
        return next((value for pick in picks if (value := pick(scene)) not in (None, "")), None)

    return first


def _joined(picks: Sequence[Pick], between: str) -> Pick:
    def joined(scene: Scene) -> Any:
        return between.join(text for pick in picks if (text := text_of(pick(scene))))

    return joined


def _transformed(declared: Mapping[str, Any]) -> Pick:
    pick, name = compile_pick(declared["from"]), declared["transform"]
    transform = TRANSFORMS[name]
    inside = JsonPointer(declared["at"]) if "at" in declared else None

    def transformed(scene: Scene) -> Any:
        value = pick(scene)
        if value is None or value == "":
            return None
        try:
            found = transform(value)
        except (ValueError, TypeError, OverflowError, Refusal):
            raise _unlike(declared, scene) from None
        return found if inside is None else resolve(inside, found)

    return transformed


def _unlike(declared: Mapping[str, Any], scene: Scene) -> SchemaViolation:
    told = f"cannot be read as {declared['transform']}, which the declaration says it is"
    problem = Problem(place(declared, scene), "transform", told)
    return SchemaViolation("a member is not what the declaration says", [problem])


def _text(value: Any) -> str:
    text = text_of(value)
    if text is None:
        raise TypeError("neither text nor a number")
    return text


def _number(value: Any) -> str:
    text = _text(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError("no number")
    return text


def _naive(value: Any) -> str:
    if _NUMBER.fullmatch(_text(value)):
        raise ValueError("a number")
    return timestamps.from_loose(_text(value))


def _host(value: Any) -> str:
    parts = urlsplit(_text(value))
    if not (parts.scheme and parts.hostname):
        raise ValueError("no URL")
    return uri_reference(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


# The closed list. A name here is one of schemas/mapping.schema.json, which a test holds.
TRANSFORMS: Mapping[str, Callable[[Any], Any]] = {
    "epoch_s": lambda value: timestamps.from_loose(_number(value)),
    "epoch_ms": lambda value: timestamps.from_milliseconds(int(_number(value).partition(".")[0])),
    "utc_naive": _naive,
    "offset_nocolon": lambda value: timestamps.from_basic(_text(value)),
    "json_string": lambda value: strict_json.parse(_text(value).encode()),
    "lower": lambda value: _text(value).lower(),
    "split_comma": lambda value: [part.strip() for part in _text(value).split(",")],
    "host_of": _host,
}
