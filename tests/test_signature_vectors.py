"""Signatures made by another program than ours: ``openssl dgst -sha256 -hmac``, over the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.denials import InvalidSignature
from tests.keys import Headers, principal, read, signed

SECRET = "sender-secret-0123456789"
BODY = b'{"action":"created","data":{"issue":{"id":"1"}}}'
SECOND = 1_770_091_506
NOW = datetime.fromtimestamp(SECOND, UTC)

OF_THE_BODY = "3bc87312eea64343da46650b18dcb92a298db67298348d9a4fdef99005ad24a3"
# of the second, a colon and the body
OF_THE_TIME_TOO = "c64cb8f009482f6706aed65affddd880b1660f5f5d19dff1b144831be0050dad"
WITH_TIME = 'timestamp_header = "X-Time"'
VECTORS: dict[str, tuple[str, str, Headers]] = {
    "github": ("github", "", {"x-hub-signature-256": f"sha256={OF_THE_BODY}"}),
    "jira": ("jira", "", {"x-hub-signature": f"sha256={OF_THE_BODY}"}),
    "pagerduty": ("pagerduty", "", {"x-pagerduty-signature": f"v1={OF_THE_BODY}"}),
    "pagerduty while the secret is changed": (
        "pagerduty",
        "",
        {"x-pagerduty-signature": f"v1={'0' * 64},v1={OF_THE_BODY}"},
    ),
    "sentry": ("sentry", "", {"sentry-hook-signature": OF_THE_BODY, "sentry-hook-timestamp": "0"}),
    "grafana": ("grafana", "", {"x-grafana-alerting-signature": OF_THE_BODY}),
    "grafana with a time": (
        "grafana",
        WITH_TIME,
        {"x-grafana-alerting-signature": OF_THE_TIME_TOO, "x-time": str(SECOND)},
    ),
}


@pytest.mark.parametrize(("profile", "more", "headers"), VECTORS.values(), ids=VECTORS)
def test_a_signature_that_another_program_made_is_the_one_of_its_body_alone(
    tmp_path: Path, profile: str, more: str, headers: Headers
) -> None:
    known = read(tmp_path, principal("sender", signed(profile, SECRET, more=more)))
    assert known.verify(headers, "", BODY, NOW).principal.name == "sender"
    for other in (BODY + b"\n", BODY.replace(b":", b": ")):
        with pytest.raises(InvalidSignature):
            known.verify(headers, "", other, NOW)


def test_a_signature_of_sentry_has_no_prefix(tmp_path: Path) -> None:
    known = read(tmp_path, principal("sender", signed("sentry", SECRET)))
    with pytest.raises(InvalidSignature):
        known.verify({"sentry-hook-signature": f"sha256={OF_THE_BODY}"}, "", BODY, NOW)
