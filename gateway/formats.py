"""The string formats that the schemas assert, checked by one set of functions for both validators.

The libraries' own checks differ from each other and from the RFCs (plain ``jsonschema`` checks no date-time
at all), so a document could be valid to the one and invalid to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway import timestamps

_ESCAPED = "%[0-9A-Fa-f]{2}"


def _run(characters: str) -> str:
    """Any number of these characters and of percent-encoded ones."""
    return f"[{characters}]*(?:{_ESCAPED}[{characters}]*)*"


# RFC 3986 appendix A, by character class: enough to refuse what is no URI, without its full grammar. Written
# so that Python and the engine of the compiled validator read them alike, and neither has to go back.
_LETTERS = "-A-Za-z0-9._~!$&'()*+,;="
_FIRST = f"(?:[{_LETTERS}:@]|{_ESCAPED})"
_AUTHORITY = rf"(?:{_run(_LETTERS + ':')}@)?(?:\[[0-9A-Fa-f:.]+\]|{_run(_LETTERS)})(?::[0-9]*)?"
_PATH = f"(?:/{_run(_LETTERS + ':@/')})?"
_ROOTED = f"/(?:{_FIRST}{_run(_LETTERS + ':@/')})?"
_NO_COLON = f"(?:[{_LETTERS}@]|{_ESCAPED}){_run(_LETTERS + '@')}"
_TAIL = rf"(?:\?{_run(_LETTERS + ':@/?')})?(?:#{_run(_LETTERS + ':@/?')})?"
_URI = f"[A-Za-z][A-Za-z0-9+.-]*:(?://{_AUTHORITY}{_PATH}|{_ROOTED}|{_FIRST}{_run(_LETTERS + ':@/')}|){_TAIL}"
_URI_REFERENCE = f"{_URI}|(?://{_AUTHORITY}{_PATH}|{_ROOTED}|{_NO_COLON}{_PATH}|){_TAIL}"
_is_uri, _is_uri_reference = re.compile(_URI).fullmatch, re.compile(_URI_REFERENCE).fullmatch

# Days and times that certainly are: not every one, since a calendar is no regular language.
_DATE_TIME = (
    "(?:19|20)[0-9]{2}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,18})?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)

# CloudEvents 1.0.2 section 2.2, String: no control characters, surrogates or Unicode noncharacters.
NOT_IN_STRINGS = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)

# Characters that hide or reorder text, so that one name reads as another (Unicode TR36, UAX 9).
HIDDEN = "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"


def is_date_time(text: str) -> bool:
    """RFC 3339 date-time with an offset; see ``timestamps.to_utc`` for what is left out."""
    return _accepts(timestamps.to_utc, text)


def is_timestamp_or_seconds(text: str) -> bool:
    """RFC 3339, ISO 8601 without an offset, or decimal seconds since 1970."""
    return _accepts(timestamps.from_loose, text)


def is_basic_date_time(text: str) -> bool:
    """RFC 3339 date-time whose offset may lack its colon."""
    return _accepts(timestamps.from_basic, text)


def is_uri(text: str) -> bool:
    """An absolute URI (RFC 3986 section 4.3), fragment allowed."""
    return _is_uri(text) is not None


def is_uri_reference(text: str) -> bool:
    """A URI or a relative reference (RFC 3986 section 4.1); the empty string is one."""
    return _is_uri_reference(text) is not None


def uri_reference(text: str) -> str:
    """Demand a URI or a relative reference. Raises ValueError."""
    if not is_uri_reference(text):
        raise ValueError("must be a URI or a relative reference, such as https://host or /monitoring/eu")
    return text


def _accepts(parse: Callable[[str], str], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


FORMATS: dict[str, Callable[[str], bool]] = {
    "basic-date-time": is_basic_date_time,
    "date-time": is_date_time,
    "timestamp-or-seconds": is_timestamp_or_seconds,
    "uri": is_uri,
    "uri-reference": is_uri_reference,
}

# What a string of the format certainly looks like, as a regular expression for the compiled validator, which
# would lose more time calling Python than on all the rest. What does not match may be of the format too.
PATTERNS: dict[str, str] = {
    "date-time": f"^(?:{_DATE_TIME})$",
    "timestamp-or-seconds": f"^(?:{_DATE_TIME}|[0-9]{{1,10}})$",
    "uri": f"^(?:{_URI})$",
    "uri-reference": f"^(?:{_URI_REFERENCE})$",
}
