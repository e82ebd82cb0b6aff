"""Who sent a request: the principals, their credentials, and the check of one request against them.

Sources: RFC 6750 (Bearer, and ``access_token`` in the query), RFC 7617 (Basic), CloudEvents 1.0.2 HTTP 1.1
Web Hooks section 3. Of what a sender presents only the SHA-256 is compared; ``gateway.signatures`` does the
rest. Every credential is compared in constant time, and none sooner or later for its place in the file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qsl

from gateway import signatures, sns_signatures
from gateway.denials import Denial, InvalidSignature, Reason, StaleSignature, Unauthenticated
from gateway.signatures import PROFILES, Profile, as_bytes
from gateway.sns_signatures import SnsKey

QUERY_KEYS = ("access_token", "key")
API_KEY = "x-api-key"
_MOST_FIELDS = 100


class Kind(StrEnum):
    """How a credential is presented."""

    BEARER = "bearer"
    API_KEY = "api-key"
    BASIC = "basic"
    QUERY_KEY = "query-key"
    HMAC = "hmac"
    SNS = "sns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One way to be known. ``id`` tells it from the principal's others; it is no secret.

    ``secret`` is the key of an HMAC, and of any other kind the SHA-256 of what is presented (of Basic:
    ``user:password``); ``profile`` goes with an HMAC alone. What SNS signs is checked by ``sns``.
    """

    id: str
    kind: Kind
    secret: bytes = field(repr=False)
    profile: Profile | None = None
    sns: SnsKey | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who may send events of some systems. ``rate`` is None for that of everybody.

    ``source`` is the CloudEvents source of its events, for systems that name none or one that changes.
    """

    name: str
    systems: frozenset[str]
    credentials: tuple[Credential, ...] = field(repr=False)
    rate: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A principal, and the credential that it was known by."""

    principal: Principal
    credential: Credential


class Credentials:
    """All principals, as one file declares them."""

    def __init__(self, principals: Sequence[Principal]) -> None:
        """Their names and secrets must differ."""
        self.principals = tuple(principals)
        self._proofs = [Proof(p, credential) for p in principals for credential in p.credentials]
        profiles = [p.credential.profile for p in self._proofs if p.credential.profile]
        # Those that nobody uses too: a request that is signed in vain is told so.
        self._profiles = tuple(dict.fromkeys([*profiles, *PROFILES.values()]))
        self._marks = frozenset(name for p in self._profiles for name in (p.header, p.timestamp) if name)
        self._by_kind = {kind: [p for p in self._proofs if p.credential.kind is kind] for kind in Kind}
        self._sns = [proof for proof in self._proofs if proof.credential.sns]
        self._reads_query = any(p.credential.kind is Kind.QUERY_KEY for p in self._proofs)

    def verify(self, headers: Mapping[str, str], query: str, body: bytes, now: datetime) -> Proof:
        """Give the principal that a request proves to come from; one good credential is enough.

        Header names in lower case, values and the query as they came (a byte a character). Raises
        Unauthenticated, InvalidSignature or StaleSignature.
        """
        presented = [*_authorization(headers), *_api_key(headers)]
        if self._reads_query:
            presented += _query_keys(query)
        known = [proof for kind, secret in presented for proof in self._holding(kind, secret)]
        faults: list[Denial] = []
        for profile in () if self._marks.isdisjoint(headers) else self._profiles:
            if signatures.is_tried(profile, headers):
                try:
                    known += self._signing(profile, headers, body, now)
                except (InvalidSignature, StaleSignature) as fault:
                    faults.append(fault)
        if sns_signatures.HEADER in headers and self._sns:
            try:
                known += self._signing_as_sns(body)
            except InvalidSignature as fault:
                faults.append(fault)
        if not known:
            raise _denial(faults, bool(presented))
        return _the_one(known, now)

    def _holding(self, kind: Kind, secret: bytes) -> list[Proof]:
        digest = hashlib.sha256(secret).digest()
        return [
            proof for proof in self._by_kind[kind] if hmac.compare_digest(proof.credential.secret, digest)
        ]

    def _signing(
        self, profile: Profile, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> list[Proof]:
        own = [proof for proof in self._proofs if proof.credential.profile == profile]
        places = signatures.matching(profile, [p.credential.secret for p in own], headers, body, now)
        if not places:
            raise InvalidSignature(f"{profile.header} is not the signature of this body by a key known here")
        return [own[place] for place in places]

    def _signing_as_sns(self, body: bytes) -> list[Proof]:
        message = sns_signatures.read(body)
        signing = [
            p for p in self._sns if p.credential.sns and sns_signatures.is_signed(message, p.credential.sns)
        ]
        if not signing:
            raise InvalidSignature(
                "the message of SNS is not signed by a certificate known here for its topic"
            )
        return signing


def _denial(faults: Sequence[Denial], presented: bool) -> Denial:
    """Of several signatures tell the fault that comes closest to a good one."""
    if faults:
        return next((fault for fault in faults if isinstance(fault, StaleSignature)), faults[0])
    if presented:
        return Unauthenticated("the credential is not known here", Reason.UNKNOWN)
    return Unauthenticated("the request has no credential", Reason.MISSING)


def _the_one(known: Sequence[Proof], now: datetime) -> Proof:
    valid = [p for p in known if p.credential.expires is None or now < p.credential.expires]
    if not valid:
        raise Unauthenticated("the credential has expired", Reason.EXPIRED)
    if len({proof.principal.name for proof in valid}) > 1:
        raise Unauthenticated("the request has the credentials of two principals", Reason.AMBIGUOUS)
    return valid[0]


def _authorization(headers: Mapping[str, str]) -> Iterator[tuple[Kind, bytes]]:
    scheme, _, given = headers.get("authorization", "").strip().partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer" and given:
        yield Kind.BEARER, as_bytes(given)
    elif scheme.lower() == "basic" and given:
        try:
            yield Kind.BASIC, base64.b64decode(given, validate=True)
        except ValueError:
            yield Kind.BASIC, b""
    elif scheme:
        yield Kind.BEARER, b""  # presented, and of no scheme that is known


def _api_key(headers: Mapping[str, str]) -> Iterator[tuple[Kind, bytes]]:
    if given := headers.get(API_KEY, "").strip():
        yield Kind.API_KEY, as_bytes(given)


def _query_keys(query: str) -> Iterator[tuple[Kind, bytes]]:
    try:
        fields = parse_qsl(query, encoding="latin-1", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return
    for name, value in fields:
        if name in QUERY_KEYS:
            yield Kind.QUERY_KEY, as_bytes(value)
