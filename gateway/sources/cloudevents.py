"""CloudEvents attributes read strictly, before the official SDK or anything else sees them.

The SDK's readers invent a missing id and time and let broken values through, so an event sent twice would
get two ids. The rules are CloudEvents 1.0.2 sections 2 and 3 (context attributes, type system), its HTTP
binding section 3.1.3 (header values) and its JSON format sections 2 and 3.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway import strict_json
from gateway.errors import (
    InvalidCharacter,
    InvalidCloudEvent,
    InvalidTime,
    Refusal,
    UnsupportedMediaType,
    UnsupportedSpecversion,
)
from gateway.formats import HIDDEN, NOT_IN_STRINGS
from gateway.model import Problem
from gateway.schemas import CLOUDEVENT, MAX_PROBLEMS, SchemaStore

CORE = frozenset({"specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time"})
MAX_ID_BYTES = 256
_JSON_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/(?:[a-z0-9!#$&^_.-]+\+)?json", re.ASCII)
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+*-]+ *(?:;.*)?", re.ASCII)
_FORBIDDEN = re.compile(f"[{NOT_IN_STRINGS}]")
_HIDDEN = re.compile(f"[{HIDDEN}]")
_JSON = "application/json"
_DATA = frozenset({"data", "data_base64"})
_NAMES = ("id", "source", "type", "subject")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NEVER_HEADERS = {
    "datacontenttype": "must be left out; Content-Type says it",
    "data": "must be left out; the body is the data",
}
_LEGAL_NAME = re.compile(r"[a-z0-9]+", re.ASCII)


def is_json(media_type: str) -> bool:
    """Whether a media type without parameters, in lower case, is JSON (RFC 6839 section 3.1)."""
    return _JSON_TYPE.fullmatch(media_type) is not None


def binary_attributes(headers: Mapping[str, str], schemas: SchemaStore) -> dict[str, str]:
    """Read the attributes of binary mode from headers with lower-case names.

    Raises InvalidCloudEvent, InvalidTime, InvalidCharacter or UnsupportedSpecversion, naming every bad
    header.
    """
    attributes: dict[str, str] = {}
    problems: list[Problem] = []
    for header, value in headers.items():
        if not header.startswith("ce-"):
            continue
        name = header[3:]
        if name in _NEVER_HEADERS:
            problems.append(Problem(f"/{name}", "header", _NEVER_HEADERS[name]))
            continue
        try:
            attributes[name] = _decode_header(value)
        except ValueError as error:
            problems.append(Problem(f"/{name}", "header", str(error)))
    if content_type := headers.get("content-type"):
        attributes["datacontenttype"] = content_type
    broken = {problem.pointer for problem in problems}
    problems += [p for p in _attribute_problems(attributes, schemas, "") if p.pointer not in broken]
    if problems:
        raise _refusal(problems, "", [_as_header(problem) for problem in problems])
    return attributes


def structured_attributes(event: Any, schemas: SchemaStore, pointer: str, *, lenient: bool) -> dict[str, str]:
    """Read the attributes of a JSON-format event; booleans and integers in their canonical string form.

    ``lenient`` leaves out members whose names CloudEvents does not allow instead of refusing them (IBM
    Event Notifications sends ``notification_id``). Raises as ``binary_attributes``.
    """
    if isinstance(event, dict) and lenient:
        event = {name: value for name, value in event.items() if _legal(name)}
    if (plain := _plain(event)) and schemas.is_valid(CLOUDEVENT, plain):
        return plain
    found = _attribute_problems(event, schemas, pointer)
    if found:
        raise _refusal(found, pointer, found)
    members: Mapping[str, Any] = event
    return {
        name: _canonical(value) for name, value in members.items() if name not in _DATA and value is not None
    }


def data_member(event: Mapping[str, Any], attributes: Mapping[str, str], pointer: str) -> str:
    """Name the member that holds the data of a JSON-format event: ``data`` or ``data_base64``.

    Raises InvalidCloudEvent when there is none, UnsupportedMediaType when the event declares something other
    than JSON.
    """
    declared = attributes.get("datacontenttype", _JSON)
    media_type = _JSON if declared == _JSON else declared.partition(";")[0].strip().lower()
    if media_type != _JSON and not is_json(media_type):
        problem = Problem(f"{pointer}/datacontenttype", "content-type", f"{media_type[:60]} is not JSON")
        raise UnsupportedMediaType("a CloudEvent's data must be JSON", [problem])
    if event.get("data_base64") is not None:
        return "data_base64"
    if event.get("data") is None:
        problem = Problem(f"{pointer}/data", "required", "is required: an event without data says nothing")
        raise InvalidCloudEvent("the CloudEvent has no data", [problem])
    return "data"


def decoded(event: Mapping[str, Any], pointer: str) -> bytes:
    """Give the text that ``data_base64`` holds. Raises InvalidCloudEvent when that is not base64."""
    try:
        return base64.b64decode(event["data_base64"], validate=True)
    except ValueError as error:
        problem = Problem(pointer, "base64", str(error))
        raise InvalidCloudEvent("data_base64 is not base64 (RFC 4648)", [problem]) from None


def extensions(attributes: Mapping[str, str] | None) -> dict[str, str]:
    """Give the extension attributes alone: all that CloudEvents itself does not define."""
    if not attributes or attributes.keys() <= CORE:
        return {}
    return {name: value for name, value in attributes.items() if name not in CORE}


def _legal(name: str) -> bool:
    return name in CORE or name == "data_base64" or _LEGAL_NAME.fullmatch(name) is not None


def _decode_header(value: str) -> str:
    """Undo the header encoding: quoted-string, then one round of percent-decoding, as strict UTF-8."""
    if not value.isascii():
        raise ValueError("bytes outside ASCII must be percent-encoded")
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if _PERCENT.search(value):
        raise ValueError("a '%' must be followed by two hex digits")
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the percent-encoded bytes are not UTF-8") from None


def _canonical(value: Any) -> str:
    """CloudEvents 1.0.2 section 2.2: booleans and integers have one string form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _attribute_problems(event: Any, schemas: SchemaStore, pointer: str) -> list[Problem]:
    found = list(schemas.check(CLOUDEVENT, event, pointer))
    if not isinstance(event, dict):
        return found
    known = {problem.pointer for problem in found}
    for name, value in event.items():
        if len(found) >= MAX_PROBLEMS:
            break
        place = f"{pointer}/{strict_json.escape(name)}"
        if name in _DATA or not isinstance(value, str) or place in known:
            continue
        if _FORBIDDEN.search(value):
            found.append(Problem(place, "characters", "holds a control character"))
        elif name in _NAMES and _HIDDEN.search(value):
            found.append(Problem(place, "hidden", "holds an invisible character"))
        elif name == "datacontenttype" and value and not _MEDIA_TYPE.fullmatch(value):
            found.append(Problem(place, "format", "is not a media type (RFC 2046)"))
        elif name == "id" and len(value.encode()) > MAX_ID_BYTES:
            found.append(Problem(place, "maxLength", f"is longer than {MAX_ID_BYTES} bytes"))
    return found


def _plain(event: Any) -> dict[str, str] | None:
    """Give the attributes if a glance shows that they break none of the rules above, if the schema's.

    A character that is forbidden or hidden is not printable to Python; a character has four bytes at most.
    The schema says nothing of ``data``, but of ``data_base64``.
    """
    if type(event) is not dict or "data_base64" in event:
        return None
    attributes = event.copy()
    attributes.pop("data", None)
    try:
        printable = "".join(attributes.values()).isprintable()
        plain = (
            len(attributes["id"]) * 4 <= MAX_ID_BYTES and attributes.get("datacontenttype", _JSON) == _JSON
        )
    except (KeyError, TypeError):  # one that is no string
        return None
    return attributes if printable and plain else None


def _as_header(problem: Problem) -> Problem:
    name = problem.pointer.lstrip("/")
    return Problem("", problem.keyword, f"header 'ce-{name}' {problem.message}")


def _refusal(found: list[Problem], pointer: str, told: list[Problem]) -> Refusal:
    """Choose the class that says most: a foreign version before a bad time before anything else."""
    if any(p.pointer == f"{pointer}/specversion" and p.keyword == "const" for p in found):
        return UnsupportedSpecversion("specversion must be 1.0", told)
    if all(p.pointer == f"{pointer}/time" for p in found):
        return InvalidTime("time must be an RFC 3339 date-time with an offset", told)
    if all(p.keyword == "hidden" for p in found):
        return InvalidCharacter("an attribute that names something holds an invisible character", told)
    return InvalidCloudEvent("the CloudEvents attributes are not valid", told)
