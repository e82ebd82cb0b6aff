"""Who may come in, over HTTP: 401, 403 and 429, and what becomes of those requests."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway import app, dead_letters
from gateway.denials import Reason
from gateway.errors import Refusal
from gateway.web.guard import Guard
from tests.door import BATCHED, PROBLEM, Door, told
from tests.keys import (
    SECRETS,
    bearer,
    guarded,
    hashed,
    of_every_kind,
    presented,
    principal,
    query,
    signed,
)
from tests.samples import cloudevent, deployed, incident, tracked
from tests.test_dead_letter_records import stored

pytestmark = pytest.mark.usefixtures("front")

CI = "secret-of-ci"
OPS = "secret-of-ops"
TWO = "\n".join(
    [
        principal("ci", hashed("bearer", CI), signed("github", CI, "hook"), systems=["ctoai", "ibm"]),
        principal("ops", hashed("bearer", OPS), systems=["tracker", "incidents"], more='rate = "2/day"'),
    ]
)
_FAILURES = re.compile(r'gateway_authentication_failures_total\{reason="([\w-]+)"\} (\S+)')


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return guarded(tmp_path, TWO)


def send(door: Door, secret: str, body: Any = None, path: str = "/events", **more: Any) -> TestResponse:
    return door.send(deployed() if body is None else body, path, headers=bearer(secret), **more)


def metrics(door: Door) -> str:
    return door.client.get("/metrics").text


def failures(door: Door) -> dict[str, int]:
    return {reason: int(float(number)) for reason, number in _FAILURES.findall(metrics(door))}


def assert_denied(door: Door, answer: TestResponse, status: int, type: str, reason: Reason) -> None:
    assert (answer.status_code, answer.content_type) == (status, PROBLEM)
    assert told(answer)["type"] == type
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert failures(door) == {reason.value: 1}
    assert door.publisher.records == []


# -- 401 ----------------------------------------------------------------------------------------------------


def test_a_good_credential_is_let_in_and_its_use_counted(door: Door) -> None:
    assert send(door, CI).status_code == 202
    assert 'gateway_credential_uses_total{credential="one",principal="ci"} 1.0' in metrics(door)
    assert failures(door) == {}


@pytest.mark.parametrize("kind", SECRETS)
def test_every_kind_is_let_in_over_http(tmp_path: Path, kind: str) -> None:
    door = guarded(tmp_path, of_every_kind())
    body = json.dumps(deployed()).encode()
    headers = presented(kind, SECRETS[kind], body, datetime.now(UTC))
    path = f"/events?{query(kind, SECRETS[kind])}"
    assert door.send(body, path, headers=headers).status_code == 202


def test_of_a_packed_body_the_packed_bytes_are_signed(tmp_path: Path) -> None:
    door = guarded(tmp_path, of_every_kind())
    body = json.dumps(deployed()).encode()
    packed = gzip.compress(body)
    proof = presented("github", SECRETS["github"], packed, datetime.now(UTC))
    assert door.send(packed, headers=proof | {"Content-Encoding": "gzip"}).status_code == 202
    proof = presented("github", SECRETS["github"], body, datetime.now(UTC))
    assert door.send(packed, headers=proof | {"Content-Encoding": "gzip"}).status_code == 401


DENIED = {
    "nothing": ({}, "unauthenticated", Reason.MISSING),
    "unknown": (bearer("x"), "unauthenticated", Reason.UNKNOWN),
    "not ascii": ({"Authorization": "Bearer \xff"}, "unauthenticated", Reason.UNKNOWN),
    "no signature": ({"X-Hub-Signature-256": "sha256=0"}, "invalid-signature", Reason.SIGNATURE),
    "stale": ({"Webhook-Timestamp": "NaN", "Webhook-Signature": "v1,"}, "stale-signature", Reason.STALE),
}


@pytest.mark.parametrize(("headers", "type", "reason"), DENIED.values(), ids=DENIED)
@pytest.mark.parametrize("body", [b"{", b"", b"\xff", json.dumps(deployed()).encode()])
def test_a_stranger_is_told_nothing_of_the_body_and_kept_nowhere(
    door: Door, headers: dict[str, str], type: str, reason: Reason, body: bytes
) -> None:
    assert_denied(door, door.send(body, headers=headers), 401, type, reason)


def test_a_strangers_request_is_no_event(door: Door) -> None:
    send(door, "x")
    assert "gateway_events_total{" not in metrics(door)


def test_a_stranger_gets_no_further_in_quarantine(tmp_path: Path) -> None:
    door = guarded(tmp_path, TWO, quarantine_systems="ctoai")
    assert send(door, "x", path="/events/ctoai").status_code == 401
    assert door.publisher.records == []


def test_a_bug_in_the_guard_lets_nobody_in(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def admit(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Guard, "admit", admit)
    assert send(door, CI).status_code == 503
    assert door.publisher.records == []


def test_a_gateway_that_was_given_no_credentials_but_names_a_file_lets_nobody_in(tmp_path: Path) -> None:
    door = guarded(tmp_path, TWO)
    bare = app.build(door.gateway.settings, door.publisher)
    answer = bare.application.test_client().post("/events", json=deployed(), headers=bearer(CI))
    assert answer.status_code == 401


def test_without_a_file_nobody_is_asked() -> None:
    assert Door().send(deployed()).status_code == 202


# -- 403 ----------------------------------------------------------------------------------------------------

GOOD, FOREIGN = cloudevent(), cloudevent(tracked())
FORBIDDEN = {
    "by its shape": (tracked(), "/events", {}),
    "by its path": (tracked(), "/events/tracker", {}),
    "by its path, whatever it is": (b"{", "/events/tracker", {}),
    "by the path of another": (deployed(), "/events/tracker", {}),
    "by the system's own path": (tracked(), "/api/v1alpha1/event", {}),
    "by id": (incident(), "/events/incidents/7", {"method": "PATCH"}),
    "not even valid": (tracked() | {"title": 7}, "/events", {}),
    "in a batch": ([GOOD, FOREIGN, GOOD], "/events", {"content_type": BATCHED}),
    "in a batch of faults": ([7, FOREIGN, {}], "/events", {"content_type": BATCHED}),
}


@pytest.mark.parametrize(("body", "path", "more"), FORBIDDEN.values(), ids=FORBIDDEN)
@pytest.mark.parametrize("quarantine", ["", "tracker,incidents"])
def test_an_event_of_a_system_that_is_not_its_own_is_forbidden(
    tmp_path: Path, body: Any, path: str, more: dict[str, Any], quarantine: str
) -> None:
    door = guarded(tmp_path, TWO, quarantine_systems=quarantine)
    answer = send(door, CI, body, path, **more)
    assert_denied(door, answer, 403, "forbidden", Reason.FORBIDDEN)
    (error,) = told(answer)["errors"]
    assert re.fullmatch("ci may not send events of the system (tracker|incidents)", error["message"])


def test_a_forbidden_event_is_counted_once_like_any_other(door: Door) -> None:
    send(door, CI, [GOOD, FOREIGN, GOOD], content_type=BATCHED)
    assert 'gateway_events_total{outcome="rejected",reason="forbidden",system="tracker"} 1.0' in metrics(door)
    assert 'gateway_events_total{outcome="rejected",reason="forbidden",system="ctoai"} 1.0' in metrics(door)
    assert 'gateway_events_total{outcome="rejected",reason="forbidden",system="unknown"} 1.0' in metrics(door)


def test_each_may_send_its_own(door: Door) -> None:
    assert send(door, CI, [GOOD], content_type=BATCHED).status_code == 202
    assert send(door, OPS, tracked()).status_code == 202


def test_a_dead_letter_says_who_sent_it_and_what_it_could_send(door: Door) -> None:
    assert send(door, CI, {"hello": 1}).status_code == 422
    (letter,) = door.dead_letters
    request = json.loads(letter.value)["request"]
    assert (request["principal"], request["systems"]) == ("ci", ["ctoai", "ibm"])


# -- 429 ----------------------------------------------------------------------------------------------------


def test_over_its_rate_a_principal_is_told_when_to_come_again(door: Door) -> None:
    assert [send(door, OPS, tracked()).status_code for _ in range(4)] == [202, 202, 429, 429]
    answer = send(door, OPS, tracked())
    assert (told(answer)["type"], answer.content_type) == ("rate-limited", PROBLEM)
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    assert len(door.publisher.records) == 2
    assert send(door, CI).status_code == 202  # the rate of one is not that of another


def test_the_log_names_who_is_over_its_rate(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        for _ in range(3):
            send(door, OPS, tracked())
    (entry,) = [record for record in caplog.records if record.getMessage() == "refused"]
    assert (vars(entry)["principal"], vars(entry)["type"]) == ("ops", "rate-limited")


def test_a_stranger_uses_up_nobodys_rate(door: Door) -> None:
    assert [send(door, "x").status_code for _ in range(5)] == [401] * 5
    assert send(door, OPS, tracked()).status_code == 202


def test_the_rate_of_the_settings_is_that_of_everybody_else(tmp_path: Path) -> None:
    door = guarded(tmp_path, TWO, rate_limit="1/day")
    assert [send(door, CI).status_code for _ in range(2)] == [202, 429]
    assert [send(door, OPS, tracked()).status_code for _ in range(3)] == [202, 202, 429]


def test_a_rate_without_credentials_is_that_of_all_together() -> None:
    door = Door(rate_limit="2/day")
    assert [door.send(deployed()).status_code for _ in range(3)] == [202, 202, 429]


# -- the handshake ------------------------------------------------------------------------------------------


def allowed_rate(door: Door, **headers: str) -> str:
    asked = {"WebHook-Request-Origin": "a.example", "WebHook-Request-Rate": "100000"}
    return door.client.options("/events", headers=asked | headers).headers["WebHook-Allowed-Rate"]


@pytest.mark.parametrize(
    ("rate", "told"), [("", "*"), ("600/minute", "600"), ("20/second", "1200"), ("1/hour", "1")]
)
def test_the_handshake_tells_the_real_rate(rate: str, told: str) -> None:
    assert allowed_rate(Door(allowed_origins="a.example", rate_limit=rate)) == told


def test_the_handshake_tells_whoever_is_known_its_own_rate_and_a_stranger_the_least(tmp_path: Path) -> None:
    text = principal("ci", hashed("bearer", CI)) + "\n" + principal(
        "ops", hashed("bearer", OPS), more='rate = "60/minute"'
    )  # fmt: skip
    door = guarded(tmp_path, text, allowed_origins="a.example", rate_limit="600/minute")
    assert allowed_rate(door) == "60"
    assert allowed_rate(door, **bearer(OPS)) == "60"
    assert allowed_rate(door, **bearer(CI)) == "600"
    assert allowed_rate(door, **bearer("x")) == "60"
    assert failures(door) == {}


# -- later -----------------------------------------------------------------------


def test_a_replay_does_for_a_principal_only_what_it_may_do_itself(door: Door) -> None:
    """A document that nobody knew is kept; by the time of the replay its system is known."""
    assert send(door, CI, tracked() | incident()).status_code == 422
    (letter,) = door.dead_letters
    kept = dead_letters.read(stored(letter), door.gateway.schemas).content
    later = Door(systems="tracker").gateway.pipeline
    with pytest.raises(Refusal, match="ci may not send events of the system tracker"):
        later.prepare(kept)  # type: ignore[arg-type]
