"""The schemas of what is published, as a consumer would apply them: plain ``jsonschema``, with format checks
of our own.

None of it is the gateway's code, so that the gateway is not its own judge.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from tests.examples import SCHEMAS

_CHECKER = FormatChecker(formats=())


@_CHECKER.checks("date-time", raises=ValueError)
def _is_utc_instant(value: object) -> bool:
    return not isinstance(value, str) or (value.endswith("Z") and bool(datetime.fromisoformat(value)))


@_CHECKER.checks("uri", raises=ValueError)
def _is_absolute_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


_ENVELOPE, _DEAD_LETTER = (
    json.loads((SCHEMAS / f"{name}.schema.json").read_bytes()) for name in ("envelope", "deadletter")
)
_REGISTRY: Registry[Any] = Resource.from_contents(_ENVELOPE) @ Registry()
_IS_ENVELOPE, _IS_DEAD_LETTER = (
    Draft202012Validator(schema, registry=_REGISTRY, format_checker=_CHECKER)
    for schema in (_ENVELOPE, _DEAD_LETTER)
)


def assert_is_envelope(value: bytes) -> None:
    """Raise with every reason why a record's value is not what the envelope schema describes."""
    _assert_valid(_IS_ENVELOPE, json.loads(value))


def assert_is_dead_letter(value: bytes) -> None:
    """The same for a dead letter, in binary or structured mode."""
    letter = json.loads(value)
    _assert_valid(_IS_DEAD_LETTER, letter.get("data", letter))


def _assert_valid(validator: Draft202012Validator, document: Any) -> None:
    faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    assert not faults, faults
