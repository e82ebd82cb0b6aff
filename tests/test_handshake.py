"""The CloudEvents webhook handshake: OPTIONS, before a sender's first event."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from gateway.web.routes import INTAKES
from tests.door import Door, Front

pytestmark = pytest.mark.usefixtures("front")

RULES = sorted({intake.rule for intake in INTAKES})


@pytest.fixture(scope="module")
def strict(front: Front) -> Door:
    return Door(allowed_origins="events.example.com, https://other.example")


def ask(door: Door, path: str = "/events", **headers: str) -> TestResponse:
    return door.client.options(path, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize("rule", RULES)
def test_every_way_in_answers_the_handshake(strict: Door, rule: str) -> None:
    answer = ask(strict, rule.replace("<resource>", "7"), WebHook_Request_Origin="events.example.com")
    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "events.example.com"
    methods = [intake.method for intake in INTAKES if intake.rule == rule]
    assert answer.headers["Allow"] == ", ".join([*methods, "OPTIONS"])


def test_without_an_origin_it_is_no_handshake(strict: Door) -> None:
    answer = ask(strict)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert "WebHook-Allowed-Origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "evil.example",
        "example.com",
        "events.example.com.evil.example",
        "xevents.example.com",
        "events.example.com, evil.example",
        "*",
    ],
)
def test_a_foreign_origin_is_answered_without_consent(strict: Door, origin: str) -> None:
    answer = ask(strict, WebHook_Request_Origin=origin, WebHook_Request_Rate="120")
    assert answer.status_code == 200
    assert "WebHook-Allowed-Origin" not in answer.headers
    assert "WebHook-Allowed-Rate" not in answer.headers


def test_an_origin_is_compared_without_regard_to_case(strict: Door) -> None:
    answer = ask(strict, WebHook_Request_Origin="Events.Example.COM")
    assert answer.headers["WebHook-Allowed-Origin"] == "Events.Example.COM"


def test_a_known_origin_is_compared_without_regard_to_case_too() -> None:
    answer = ask(Door(allowed_origins="Events.Example.COM"), WebHook_Request_Origin="events.example.com")
    assert answer.headers["WebHook-Allowed-Origin"] == "events.example.com"


def test_a_rate_is_allowed_when_one_is_asked_for(strict: Door) -> None:
    with_rate = ask(strict, WebHook_Request_Origin="https://other.example", WebHook_Request_Rate="120")
    assert with_rate.headers["WebHook-Allowed-Rate"] == "*"
    without_rate = ask(strict, WebHook_Request_Origin="https://other.example")
    assert "WebHook-Allowed-Rate" not in without_rate.headers


def test_nobody_is_welcome_by_default(door: Door) -> None:
    answer = ask(door, WebHook_Request_Origin="events.example.com")
    assert "WebHook-Allowed-Origin" not in answer.headers


def test_a_star_welcomes_everybody() -> None:
    answer = ask(Door(allowed_origins="*"), WebHook_Request_Origin="anybody.example")
    assert answer.headers["WebHook-Allowed-Origin"] == "anybody.example"


def test_the_path_of_a_system_that_is_switched_off_has_no_handshake() -> None:
    door = Door(systems="ctoai", allowed_origins="*")
    answer = ask(door, "/events/tracker", WebHook_Request_Origin="events.example.com")
    assert answer.status_code == 404


def test_an_unknown_path_has_no_handshake(strict: Door) -> None:
    answer = ask(strict, "/nowhere", WebHook_Request_Origin="events.example.com")
    assert answer.status_code == 404
