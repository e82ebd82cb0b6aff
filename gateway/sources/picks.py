"""Picks: how a declaration says where in a document a value stands, and what is to be done with it.

Each is made once, at start, into a function. None can loop, and none costs more than the document is long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jsonpointer import JsonPointer, JsonPointerException

from gateway import strict_json, timestamps
from gateway.errors import Refusal, SchemaViolation
from gateway.model import Problem
from gateway.sources.source import text_of

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
    """Give what stands at a pointer; None where nothing does."""
    try:
        return pointer.resolve(document, None)
    except JsonPointerException:
        return None


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
    inside = JsonPointer(declared["at"].removeprefix(WHOLE)) if "at" in declared else None

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
    pointers = [declared["from"]] if isinstance(declared["from"], str) else declared["from"]
    filled = next((p for p in pointers if _pointed(p)(scene) not in (None, "")), pointers[0])
    place = scene.base + filled.removeprefix(WHOLE) if filled.startswith(WHOLE) else scene.pointer + filled
    told = f"cannot be read as {declared['transform']}, which the declaration says it is"
    return SchemaViolation("a member is not what the declaration says", [Problem(place, "transform", told)])


def _seconds(value: Any) -> str:
    if isinstance(value, bool):
        raise TypeError("a boolean is no time")
    return timestamps.from_loose(value if isinstance(value, int | float) else float(value))


def _milliseconds(value: Any) -> str:
    if isinstance(value, bool):
        raise TypeError("a boolean is no time")
    return timestamps.from_milliseconds(int(value))


def _host(value: Any) -> str:
    parts = urlsplit(str(value))
    if not (parts.scheme and parts.hostname):
        raise ValueError("no URL")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


# The closed list. A name here is one of schemas/mapping.schema.json, which a test holds.
TRANSFORMS: Mapping[str, Callable[[Any], Any]] = {
    "epoch_s": _seconds,
    "epoch_ms": _milliseconds,
    "utc_naive": lambda value: timestamps.from_loose(str(value)),
    "offset_nocolon": lambda value: timestamps.from_basic(str(value)),
    "json_string": lambda value: strict_json.parse(value.encode()) if isinstance(value, str) else value,
    "lower": lambda value: (text_of(value) or "").lower(),
    "split_comma": lambda value: [part.strip() for part in str(value).split(",")],
    "host_of": _host,
}
