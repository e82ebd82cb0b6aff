"""The string formats that the schemas assert, checked by one set of functions for both validators.

The libraries' own checks differ from each other and from the RFCs (plain ``jsonschema`` checks no date-time
at all), so a document could be valid to the one and invalid to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway import timestamps

# RFC 3986 appendix A, by character class: enough to refuse what is no URI, without its full grammar.
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_NAME = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = rf"(?:(?:{_NAME}|:)*@)?(?:\[[0-9A-Fa-f:.]+\]|{_NAME}*)(?::[0-9]*)?"
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.-]*:(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/?(?:{_PCHAR}+(?:/{_PCHAR}*)*)?){_TAIL}"
)
_SEGMENT_NO_COLON = r"(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+"
_RELATIVE = re.compile(
    rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
    rf"|{_SEGMENT_NO_COLON}(?:/{_PCHAR}*)*)?{_TAIL}"
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
    return _URI.fullmatch(text) is not None


def is_uri_reference(text: str) -> bool:
    """A URI or a relative reference (RFC 3986 section 4.1); the empty string is one."""
    return is_uri(text) or _RELATIVE.fullmatch(text) is not None


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
