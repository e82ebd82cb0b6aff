"""Who sent a request: every kind of credential, and what is no proof of anybody."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.credentials import Credentials
from gateway.denials import Denial, InvalidSignature, Reason, StaleSignature, Unauthenticated
from tests.keys import (
    HASHED,
    PROFILES,
    SECRETS,
    Headers,
    basic,
    bearer,
    hashed,
    mac,
    of_every_kind,
    presented,
    principal,
    query,
    read,
    signed,
    standard,
)

NOW = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
SECOND = int(NOW.timestamp())
BODY = b'{ "a": 1 }'
EVERY = tuple(SECRETS)
STANDARD = SECRETS["standard-webhooks"]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return read(tmp_path_factory.mktemp("credentials"), of_every_kind())


def verify(known: Credentials, headers: Headers, query: str = "", body: bytes = BODY) -> str:
    return known.verify(headers, query, body, NOW).principal.name


def denied(known: Credentials, headers: Headers, query: str = "", body: bytes = BODY) -> Denial:
    with pytest.raises(Denial) as caught:
        known.verify(headers, query, body, NOW)
    return caught.value


@pytest.mark.parametrize("kind", EVERY)
def test_a_credential_of_every_kind_names_its_principal(known: Credentials, kind: str) -> None:
    secret = SECRETS[kind]
    assert verify(known, presented(kind, secret, BODY, NOW), query(kind, secret)) == kind


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("changed", [lambda s: s[:10] + s[14:], lambda s: s[:10] + "AAAA" + s[10:]])
def test_another_secret_does_not(known: Credentials, kind: str, changed: Callable[[str], str]) -> None:
    secret = changed(SECRETS[kind])
    denied(known, presented(kind, secret, BODY, NOW), query(kind, secret))


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("body", [b'{"a":1}', b"", BODY + b"\n"], ids=["written again", "none", "longer"])
def test_a_signature_is_of_the_bytes_that_came(known: Credentials, kind: str, body: bytes) -> None:
    refusal = denied(known, presented(kind, SECRETS[kind], BODY, NOW), body=body)
    assert isinstance(refusal, InvalidSignature)


@pytest.mark.parametrize("kind", HASHED)
def test_a_secret_counts_in_its_own_place_only(known: Credentials, kind: str) -> None:
    for other in set(HASHED) - {kind}:
        denied(known, presented(other, SECRETS[kind], BODY, NOW), query(other, SECRETS[kind]))


def test_nothing_presented_is_missing(known: Credentials) -> None:
    assert denied(known, {"content-type": "application/json"}, "page=1").reason is Reason.MISSING


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "bearer \xff\xfe",
        "Bearer \u20ac",
        "Basic",
        "Basic !!!",
        "Basic \xff",
        "Basic Og==",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Digest username=x",
        "x" * 10_000,
    ],
)
def test_an_authorization_that_is_no_proof(known: Credentials, header: str) -> None:
    refusal = denied(known, {"authorization": header})
    assert isinstance(refusal, Unauthenticated)
    assert refusal.reason in (Reason.UNKNOWN, Reason.MISSING)


def test_a_scheme_is_read_without_regard_to_case(known: Credentials) -> None:
    assert verify(known, {"authorization": f"bEARER  {SECRETS['bearer']} "}) == "bearer"


@pytest.mark.parametrize("name", ["access_token", "key"])
def test_a_key_in_the_query(known: Credentials, name: str) -> None:
    assert verify(known, {}, f"x=1&{name}={SECRETS['query-key']}") == "query-key"


@pytest.mark.parametrize("text", ["key=", "key", "&" * 200, "access_token=%ff%zz", "a=b;key=c", "\xff=\xff"])
def test_a_query_that_is_no_proof(known: Credentials, text: str) -> None:
    assert isinstance(denied(known, {}, text), Unauthenticated)


def test_a_key_in_the_query_is_not_read_unless_one_is_declared(tmp_path: Path) -> None:
    secret = SECRETS["bearer"]
    known = read(tmp_path, principal("ci", hashed("bearer", secret)))
    assert denied(known, {}, f"access_token={secret}").reason is Reason.MISSING


# -- signatures ---------------------------------------------------------------------------------------------

GOOD = mac(SECRETS["github"], BODY)
MALFORMED = {
    "empty": "",
    "no prefix": GOOD,
    "prefix alone": "sha256=",
    "sha-1": "sha1=" + "a" * 40,
    "sha-1 by name, of the length of sha-256": f"sha1={GOOD}",
    "too short": f"sha256={GOOD[:-2]}",
    "too long": f"sha256={GOOD}00",
    "odd": f"sha256={GOOD[:-1]}",
    "no hex": "sha256=" + "g" * 64,
    "base64": "sha256=" + base64.b64encode(b"x" * 32).decode(),
    "blanks that fromhex would skip": f"sha256={GOOD[:32]} {GOOD[32:]}",
    "not ascii": "sha256=" + "\xe9" * 64,
    "digits of another script": "sha256=" + "\u0661" * 64,
    "two, where one is written": f"sha256={GOOD},sha256={GOOD}",
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("header", ["x-hub-signature-256", "x-hub-signature"])
def test_a_malformed_signature(known: Credentials, header: str, value: str) -> None:
    assert isinstance(denied(known, {header: value}), InvalidSignature)


def test_sha_1_alone_is_no_signature_even_where_nobody_signs(tmp_path: Path) -> None:
    known = read(tmp_path, principal("ci", hashed("bearer", "x")))
    assert isinstance(denied(known, {"x-hub-signature": "sha1=" + "a" * 40}), InvalidSignature)


def test_github_sends_sha_1_beside_it(known: Credentials) -> None:
    headers = presented("github", SECRETS["github"], BODY, NOW) | {"x-hub-signature": "sha1=" + "a" * 40}
    assert verify(known, headers) == "github"


@pytest.mark.parametrize(("others", "good"), [(15, True), (16, False)])
def test_no_more_than_sixteen_signatures_are_read(known: Credentials, others: int, good: bool) -> None:
    listed = ["v1=" + "0" * 64] * others + [f"v1={mac(SECRETS['pagerduty'], BODY)}"]
    headers = {"x-pagerduty-signature": ",".join(listed)}
    if good:
        assert verify(known, headers) == "pagerduty"
    else:
        assert "more than 16" in denied(known, headers).detail


def test_any_signature_of_a_list_may_be_the_good_one(known: Credentials) -> None:
    headers = standard(STANDARD, BODY, SECOND)
    listed = f"v1a,xxxx v2,yyyy v1,{'A' * 43}= {headers['webhook-signature']}"
    assert verify(known, headers | {"webhook-signature": listed}) == "standard-webhooks"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_signed_or_signs_is_missing(known: Credentials, missing: str) -> None:
    headers = standard(STANDARD, BODY, SECOND)
    del headers[missing]
    assert missing in denied(known, headers).detail


def test_a_delivery_id_alone_is_no_attempt_at_a_signature(known: Credentials) -> None:
    assert denied(known, {"webhook-id": "msg_1"}).reason is Reason.MISSING


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_what_is_signed_beside_the_body_cannot_be_changed(known: Credentials, name: str) -> None:
    headers = standard(STANDARD, BODY, SECOND) | {name: str(SECOND + 1)}
    assert isinstance(denied(known, headers), InvalidSignature)


@pytest.mark.parametrize("off", [0, 300, -300])
def test_a_time_within_five_minutes_either_way(known: Credentials, off: int) -> None:
    assert verify(known, standard(STANDARD, BODY, SECOND + off)) == "standard-webhooks"


STALE = [SECOND - 301, SECOND + 301, 0, -1, f"-{SECOND}", f"+{SECOND}", f"{SECOND}.0", f"{SECOND}.5", "NaN"]
STALE += ["inf", "1e9", "", " ", f" {SECOND}", "9" * 12, "9" * 20, "9" * 5_000, "\u0661" * 10, "2026-02-03"]


@pytest.mark.parametrize("timestamp", STALE, ids=lambda value: str(value)[:24])
def test_any_other_time_is_stale(known: Credentials, timestamp: object) -> None:
    assert isinstance(denied(known, standard(STANDARD, BODY, timestamp)), StaleSignature)


GRAFANA = signed("grafana", "grafana-secret-0123", more='timestamp_header = "X-Time"\nheader = "X-Sign"')


def test_grafana_with_a_time_signs_both_and_cannot_leave_it_out(tmp_path: Path) -> None:
    known = read(tmp_path, principal("grafana", GRAFANA))
    headers = {"x-sign": mac("grafana-secret-0123", f"{SECOND}:".encode() + BODY), "x-time": str(SECOND)}
    assert verify(known, headers) == "grafana"
    assert isinstance(denied(known, headers | {"x-time": str(SECOND - 301)}), StaleSignature)
    assert isinstance(denied(known, headers | {"x-time": str(SECOND + 1)}), InvalidSignature)
    bare = {"x-sign": mac("grafana-secret-0123", BODY)}
    assert isinstance(denied(known, bare), InvalidSignature)


def test_a_comparison_is_of_bytes_in_constant_time_also_for_a_sender_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return False

    known = read(tmp_path, principal("ci", hashed("bearer", "x"), hashed("bearer", "y", "two")))
    monkeypatch.setattr("hmac.compare_digest", compare)
    denied(known, presented("github", SECRETS["github"], BODY, NOW))
    assert len(seen) == 1
    denied(known, bearer("x"))
    assert len(seen) == 3
    assert all(type(side) is bytes and len(side) == 32 for pair in seen for side in pair)


# -- several at once ----------------------------------------------------------------------------------------


def test_all_credentials_of_a_principal_are_good_at_once(tmp_path: Path) -> None:
    text = principal(
        "ci",
        hashed("bearer", "old-old-old", "old"),
        hashed("bearer", "new-new-new", "new"),
        signed("github", "one-secret-of-github", "first"),
        signed("github", "another-secret-of-github", "second"),
    )
    known = read(tmp_path, text)
    used = [known.verify(bearer(f"{s}-{s}-{s}"), "", BODY, NOW).credential.id for s in ("old", "new")]
    for secret in ("one-secret-of-github", "another-secret-of-github"):
        headers = presented("github", secret, BODY, NOW)
        used.append(known.verify(headers, "", BODY, NOW).credential.id)
    assert used == ["old", "new", "first", "second"]


def test_one_good_credential_is_enough(known: Credentials) -> None:
    assert verify(known, bearer(SECRETS["bearer"]) | {"x-hub-signature": "sha256=00"}) == "bearer"


def test_the_credentials_of_two_principals_are_those_of_nobody(known: Credentials) -> None:
    headers = bearer(SECRETS["bearer"]) | {"x-api-key": SECRETS["api-key"]}
    assert denied(known, headers).reason is Reason.AMBIGUOUS


def test_a_credential_ends_when_it_expires(tmp_path: Path) -> None:
    known = read(tmp_path, principal("ci", hashed("bearer", "x-y-z", more=f"expires = {NOW.isoformat()}")))
    assert known.verify(bearer("x-y-z"), "", BODY, NOW - timedelta(seconds=1)).principal.name == "ci"
    assert denied(known, bearer("x-y-z")).reason is Reason.EXPIRED


def test_no_secret_is_shown_by_repr(known: Credentials) -> None:
    proof = known.verify(basic("basic", SECRETS["basic"]), "", BODY, NOW)
    assert "canary" not in f"{known.principals} {proof} {proof.credential!r}"
    assert repr(proof.credential.secret) not in repr(proof)
