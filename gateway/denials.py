"""Why a request is turned away although nothing is wrong with what it holds: who sent it, or how often.

A Denial never becomes a dead letter, which would let strangers fill the topic; it is counted by its reason.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gateway.errors import Refusal

# RFC 9110 section 15.5.2: a 401 names a way to authenticate. Signatures have no registered scheme to name.
CHALLENGE = 'Bearer realm="gateway", Basic realm="gateway", charset="UTF-8"'


class Reason(StrEnum):
    """What a denial is counted under."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    AMBIGUOUS = "ambiguous"
    SIGNATURE = "invalid-signature"
    STALE = "stale-signature"
    FORBIDDEN = "forbidden"


class Denial(Refusal):
    """The sender is not known, or may not do this."""

    challenge: ClassVar[str | None] = None
    reason: Reason


class Unauthenticated(Denial):
    """No credential, one that is not known here or has expired, or those of two principals at once."""

    type, status, title = "unauthenticated", 401, "A credential of this gateway is needed"
    challenge = CHALLENGE

    def __init__(self, detail: str, reason: Reason) -> None:
        super().__init__(detail)
        self.reason = reason


class InvalidSignature(Denial):
    """A signature that is missing, malformed, of an algorithm that is not read, or not that of this body."""

    type, status, title = "invalid-signature", 401, "The signature does not fit the request"
    challenge, reason = CHALLENGE, Reason.SIGNATURE


class StaleSignature(Denial):
    """The signed time is too long ago, in the future, or no whole number of seconds since 1970."""

    type, status, title = "stale-signature", 401, "The signature is not of now"
    challenge, reason = CHALLENGE, Reason.STALE


class Forbidden(Denial):
    """The credential is good, but its principal may not send events of this system."""

    type, status, title = "forbidden", 403, "This principal may not send these events"
    reason = Reason.FORBIDDEN


class RateLimited(Refusal):
    """More requests of this principal than its rate allows; taken again after ``Retry-After`` seconds."""

    type, status, title = "rate-limited", 429, "Too many requests of this principal"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
