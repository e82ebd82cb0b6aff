"""Times by RFC 3339, as instants, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats import is_date_time, is_timestamp_or_seconds
from gateway.timestamps import _SURELY_UTC, from_datetime, from_loose, to_utc

RFC3339 = [
    ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52Z"),
    ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
    ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"),
    ("2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"),
    ("2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05Z"),
    ("2026-01-02T03:04:05+23:59", "2026-01-01T03:05:05Z"),
    ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05Z"),
    ("2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12Z"),
    ("2026-01-02T03:04:05.123456789+01:00", "2026-01-02T02:04:05.123456789Z"),
    ("2026-01-02T03:04:05.000000001Z", "2026-01-02T03:04:05.000000001Z"),
    ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
]
NO_RFC3339 = [
    "",
    "now",
    "2026-01-02",
    "2026-01-02T03:04:05",
    "2026-01-02T03:04Z",
    "2026-01-02T03Z",
    "2026-01-02 03:04:05Z",
    "2026-01-02T03:04:05+01",
    "2026-01-02T03:04:05+0100",
    "2026-01-02T03:04:05+25:00",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05+01:60",
    "2026-01-02T03:04:05-01:99",
    "2026-01-02T03:04:05X",
    "2026-01-02T03:04:05 UTC",
    "2026-01-02T03:04:05.Z",
    "2026-01-02T03:04:05,5Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:00Z",
    "2016-12-31T23:59:60Z",
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "10000-01-01T00:00:00Z",
    "26-01-02T03:04:05Z",
    "20260102T030405Z",
    "2026-W01-1T00:00:00Z",
    "2026-001T00:00:00Z",
    " 2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05Z ",
    "2026-01-02T03:04:05Z\n",
    "\uff12\uff10\uff12\uff16-01-02T03:04:05Z",
    "06/06/2022, 14:23:01",
    "1767323045",
]


@pytest.mark.parametrize(("text", "utc"), RFC3339)
def test_an_rfc_3339_time_is_the_same_instant_in_utc(text: str, utc: str) -> None:
    assert is_date_time(text)
    assert to_utc(text) == utc


@pytest.mark.parametrize("text", NO_RFC3339, ids=repr)
def test_any_other_text_is_refused(text: str) -> None:
    assert not is_date_time(text)
    with pytest.raises(ValueError):
        to_utc(text)


offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))


@given(st.from_regex(_SURELY_UTC, fullmatch=True))
def test_what_is_utc_at_a_glance_is_utc(text: str) -> None:
    assert from_loose(text) == to_utc(text) == text


@given(moments, offsets, offsets)
def test_one_instant_gives_one_text_whatever_its_offset(
    moment: datetime, here: timezone, there: timezone
) -> None:
    texts = {to_utc(moment.astimezone(zone).isoformat()) for zone in (here, there, UTC)}
    assert texts == {from_datetime(moment)}
    assert datetime.fromisoformat(texts.pop()) == moment


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        *RFC3339,
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.250", "2026-01-02T03:04:05.25Z"),
        ("2026-01-02 03:04:05", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04", "2026-01-02T03:04:00Z"),
        ("1767323045", "2026-01-02T03:04:05Z"),
        ("1767323045.5", "2026-01-02T03:04:05.5Z"),
        (1767323045, "2026-01-02T03:04:05Z"),
        (1767323045.0, "2026-01-02T03:04:05Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-0.0, "1970-01-01T00:00:00Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
    ],
)
def test_a_loose_time_is_understood(value: str | int | float, utc: str) -> None:
    assert from_loose(value) == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-02",
        "-1",
        "1e9",
        "17673230450000",
        "253402300800",
        "2026-01-02T25:00:00",
        "2026-01-02T03:04:05\n",
        "1767323045\n",
        "+1767323045",
        "\uff11\uff17\uff16\uff17",
    ],
    ids=repr,
)
def test_a_time_looser_than_that_is_refused(text: str) -> None:
    assert not is_timestamp_or_seconds(text)


def test_a_moment_of_python_is_written_in_utc_to_the_microsecond() -> None:
    zone = timezone(timedelta(hours=2))
    assert from_datetime(datetime(2026, 1, 2, 3, 4, 5, 60, zone)) == "2026-01-02T01:04:05.00006Z"
