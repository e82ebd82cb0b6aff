"""What senders ask of an operator, from the request to ``gateway confirmations``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.processes import GatewayProcess, command, serving, until
from tests.pages import DOCS

ADDRESS = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
HEADERS = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "SubscriptionConfirmation"}


def ask(gateway: GatewayProcess, topic: str, address: str = ADDRESS) -> None:
    asked = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "m",
        "TopicArn": f"arn:aws:sns:eu-west-1:123456789012:{topic}",
        "Message": "x",
        "Token": "t",
        "SubscribeURL": address,
        "Timestamp": "2026-05-04T10:00:00.400Z",
    }
    answer = gateway.send("POST", "/events/cloudwatch", json.dumps(asked).encode(), HEADERS)
    assert (answer.status, answer.json) == (202, {"events": []})


def told(folder: Path, count: int) -> list[str]:
    """The lines, once there are so many: they are written after the answer."""
    lines: list[str] = []

    def are_there() -> bool:
        lines[:] = command(["confirmations"], folder).splitlines()
        return len(lines) >= count

    until(are_there, 60, f"{count} notices")
    return lines


def test_the_page_names_the_command() -> None:
    page = (DOCS / "senders" / "cloudwatch.md").read_text(encoding="utf-8")
    assert "```text\ngateway confirmations\n```" in page


def test_a_subscription_is_shown_with_its_address_and_a_foreign_one_without(tmp_path: Path) -> None:
    assert command(["confirmations"], tmp_path) == ""
    with serving(tmp_path) as gateway:
        ask(gateway, "alarms")
        told(tmp_path, 1)
        ask(gateway, "others", "https://sns.eu-west-1.amazonaws.com.evil.test/?Action=ConfirmSubscription")
        ours, foreign = told(tmp_path, 2)
    assert ADDRESS in ours
    assert "123456789012:alarms" in ours
    assert "123456789012:others" in foreign
    assert "evil" not in foreign
    with serving(tmp_path):
        assert told(tmp_path, 2) == [ours, foreign]


@pytest.mark.parametrize("workers", ["3"])
def test_none_is_lost_between_workers(tmp_path: Path, workers: str) -> None:
    with serving(tmp_path, workers=workers) as gateway:
        for number in range(8):
            ask(gateway, f"topic-{number}")
        lines = told(tmp_path, 8)
    assert {f"topic-{number}" for number in range(8)} == {
        line.partition("123456789012:")[2].partition(",")[0] for line in lines
    }
