"""RFC 3339 times, kept to the last digit: a sender's nanoseconds are not cut to Python's microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,18}))?([Zz]|[+-][0-2]\d:[0-5]\d)", re.ASCII
)
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3])(?::[0-9]{2}){2}(?:\.[0-9]{0,17}[1-9])?Z")
# The same with only the days and minutes that there certainly are.
_SURELY_UTC = re.compile(
    r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{0,17}[1-9])?Z"
)
_is_surely_utc = _SURELY_UTC.fullmatch
_LOCAL = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,18}))?", re.ASCII)
_BARE_OFFSET = re.compile(r"([+-]\d{2})(\d{2})\Z", re.ASCII)
_TO_MICROSECONDS = len("2026-11-28T22:08:32.123456")
_TO_SECONDS = len("2026-02-03T04:05:06")
_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)


def to_utc(text: str) -> str:
    """Give an RFC 3339 date-time as the same instant in UTC, its fraction without trailing zeros.

    Two texts that name one instant give equal results. Raises ValueError for anything else, among them
    times without an offset, ``24:00`` and leap seconds, which Python and most consumers cannot hold.
    """
    if _is_utc(text):
        return text
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 date-time with an offset")
    day, clock, fraction, offset = match.groups()
    moment = _parse(f"{day}T{clock}{'+00:00' if offset in 'Zz' else offset}")
    return _text(moment, fraction)


def from_loose(value: str | int | float) -> str:
    """Give UTC for RFC 3339, ISO 8601 without an offset (taken as UTC), or seconds since 1970.

    The Incidents service accepts "either an ISO 8601 or second timestamp". Raises ValueError.
    """
    if type(value) is str and (_is_surely_utc(value) or _is_utc(value)):
        return value
    if isinstance(value, float):
        value = int(value) if value.is_integer() else format(value, "f")
    value = str(value)
    if _SECONDS.fullmatch(value):
        seconds, _, fraction = value.partition(".")
        return _text(_from_seconds(int(seconds)), fraction)
    match = _LOCAL.fullmatch(value)
    if match is None:
        return to_utc(value)
    day, clock, fraction = match.groups()
    return _text(_parse(f"{day}T{clock}+00:00"), fraction)


def from_basic(text: str) -> str:
    """Give UTC for a date-time whose offset may lack its colon (``+0000``), as Java and AWS write it.

    Raises ValueError.
    """
    return to_utc(_BARE_OFFSET.sub(r"\1:\2", text))


def from_milliseconds(value: int) -> str:
    """Give UTC for milliseconds since 1970. Raises ValueError."""
    seconds, rest = divmod(value, 1_000)
    return _text(_from_seconds(seconds), f"{rest:03d}")


@lru_cache(maxsize=64)  # all events of a batch came at one time
def from_datetime(moment: datetime) -> str:
    """Give an aware datetime as RFC 3339 in UTC, to the microsecond."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if not moment.microsecond:
        return f"{moment.isoformat()[:_TO_SECONDS]}Z"
    return f"{moment.isoformat()[:_TO_MICROSECONDS].rstrip('0')}Z"


def _is_utc(text: str) -> bool:
    """Whether this is how ``_text`` would write it; most senders do."""
    if _UTC.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:  # no such day or minute
        return False
    return True


def _parse(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 0001 to 9999") from error


def _from_seconds(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("outside the years 0001 to 9999") from error


def _text(moment: datetime, fraction: str | None) -> str:
    digits = (fraction or "").rstrip("0")
    base = moment.isoformat(timespec="seconds")[:_TO_SECONDS]
    return f"{base}.{digits}Z" if digits else f"{base}Z"
