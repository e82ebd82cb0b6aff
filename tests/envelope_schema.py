"""The envelope schema as a consumer would apply it: plain ``jsonschema``, with format checks of our own.

None of it is the gateway's code, so that the gateway is not its own judge.
"""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from tests.examples import SCHEMAS

_CHECKER = FormatChecker(formats=())


@_CHECKER.checks("date-time", raises=ValueError)
def _is_utc_instant(value: object) -> bool:
    return not isinstance(value, str) or (value.endswith("Z") and bool(datetime.fromisoformat(value)))


@_CHECKER.checks("uri", raises=ValueError)
def _is_absolute_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


_VALIDATOR = Draft202012Validator(
    json.loads((SCHEMAS / "envelope.schema.json").read_bytes()), format_checker=_CHECKER
)


def assert_is_envelope(value: bytes) -> None:
    """Raise with every reason why a record's value is not what the envelope schema describes."""
    faults = [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(json.loads(value))]
    assert not faults, faults
