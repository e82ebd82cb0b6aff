"""Webhook signatures: HMAC-SHA256 over the raw bytes. Each sender's way of it is a row of ``PROFILES``.

Sources: GitHub, "Validating webhook deliveries"; Atlassian, "Webhooks" (secured by X-Hub-Signature);
PagerDuty, "Verifying signatures"; grafana/alerting, http/hmac.go; Sentry, "Integration platform", "Verifying
the signature"; Standard Webhooks 1.0.0, "Signature scheme".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.denials import InvalidSignature, StaleSignature

MOST_SIGNATURES = 16
_SECONDS = re.compile(r"[0-9]{1,12}")
_DECOY = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the 32 bytes of a digest are written."""

    form: re.Pattern[str]
    decode: Callable[[str], bytes]


HEX = Encoding(re.compile(r"[0-9a-fA-F]{64}"), bytes.fromhex)
BASE64 = Encoding(re.compile(r"[A-Za-z0-9+/]{43}="), base64.b64decode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a sender signs; header names in lower case.

    ``header`` holds the signatures, between ``separator`` when there may be several, each after ``prefix``.
    What is signed is the value of each header of ``before`` followed by ``joint``, then the body.
    ``timestamp`` names the header with the time, among ``before``; ``tolerance`` is in seconds, both ways.
    """

    header: str
    prefix: str = ""
    separator: str = ""
    encoding: Encoding = HEX
    before: tuple[str, ...] = ()
    joint: bytes = b""
    timestamp: str = ""
    tolerance: int = 300


PROFILES: Mapping[str, Profile] = {
    "github": Profile(header="x-hub-signature-256", prefix="sha256="),
    "jira": Profile(header="x-hub-signature", prefix="sha256="),
    "pagerduty": Profile(header="x-pagerduty-signature", prefix="v1=", separator=","),
    # with `timestamp_header`: that header, ":", body
    "grafana": Profile(header="x-grafana-alerting-signature", joint=b":"),
    # it sends a time too, but does not sign it
    "sentry": Profile(header="sentry-hook-signature"),
    "standard-webhooks": Profile(
        header="webhook-signature",
        prefix="v1,",
        separator=" ",
        encoding=BASE64,
        before=("webhook-id", "webhook-timestamp"),
        joint=b".",
        timestamp="webhook-timestamp",
    ),
}
# Grafana lets its users name the headers, and has none for the time unless they do.
NAMED_BY_THE_USER = frozenset({"grafana"})
_SECRET_PREFIX = "whsec_"


def key(profile: str, secret: str) -> bytes:
    """Give the key of a secret as its sender shows it. Raises ValueError."""
    if profile != "standard-webhooks":
        return secret.encode()
    return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)


def is_tried(profile: Profile, headers: Mapping[str, str]) -> bool:
    """Whether a request means to be signed this way."""
    return profile.header in headers or bool(profile.timestamp and profile.timestamp in headers)


def matching(
    profile: Profile, keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
) -> list[int]:
    """Give the place of each key that signed the request, without a word of why when there is none.

    Takes as long for any keys as for others, and for no key as for one. Raises InvalidSignature or
    StaleSignature for what is wrong without regard to a key.
    """
    _check_time(profile, headers, now)
    signed = _signed(profile, headers, body)
    given = _given(profile, headers)
    digests = [hmac.digest(key, signed, hashlib.sha256) for key in keys or [_DECOY]]
    same = [sum(hmac.compare_digest(digest, one) for one in given) for digest in digests]
    return [place for place, number in enumerate(same) if number and keys]


def as_bytes(text: str) -> bytes:
    """Give a header's value as it was on the wire, where every byte is a character."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _check_time(profile: Profile, headers: Mapping[str, str], now: datetime) -> None:
    if not profile.timestamp:
        return
    told = headers.get(profile.timestamp)
    if told is None:
        raise InvalidSignature(f"the header {profile.timestamp} is missing")
    if not _SECONDS.fullmatch(told):
        raise StaleSignature(f"{profile.timestamp} must be whole seconds since 1970")
    if abs(int(now.timestamp()) - int(told)) > profile.tolerance:
        raise StaleSignature(f"{profile.timestamp} is more than {profile.tolerance} s from the time here")


def _signed(profile: Profile, headers: Mapping[str, str], body: bytes) -> bytes:
    missing = [name for name in profile.before if name not in headers]
    if missing:
        raise InvalidSignature(f"the header {missing[0]} is missing")
    return b"".join(as_bytes(headers[name]) + profile.joint for name in profile.before) + body


def _given(profile: Profile, headers: Mapping[str, str]) -> list[bytes]:
    """Give the digests of the header; those of other algorithms and versions are left out."""
    if profile.header not in headers:
        raise InvalidSignature(f"the header {profile.header} is missing")
    text = headers[profile.header]
    parts = text.split(profile.separator, MOST_SIGNATURES) if profile.separator else [text]
    if len(parts) > MOST_SIGNATURES:
        raise InvalidSignature(f"{profile.header} has more than {MOST_SIGNATURES} signatures")
    own = [part.strip()[len(profile.prefix) :] for part in parts if part.strip().startswith(profile.prefix)]
    given = [profile.encoding.decode(part) for part in own if profile.encoding.form.fullmatch(part)]
    if not given:
        raise InvalidSignature(f"{profile.header} has no HMAC-SHA256 of the form that is read here")
    return given
