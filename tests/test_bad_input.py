"""Every class of bad input is answered as ``docs/bad-input.md`` says, and nothing of it is published."""

from __future__ import annotations

import logging
import re
import socket
from pathlib import Path

import pytest

from gateway import strict_json
from gateway.web import body
from tests.bad_bytes import RAW, Raw
from tests.bad_input import ELSEWHERE, ROWS, Row
from tests.door import JSON, PROBLEM, Door, told

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CATALOGUE = range(1, 79)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket or asks for a name fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the gateway wanted the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_bad_input_is_answered_as_the_page_says(
    door: Door, caplog: pytest.LogCaptureFixture, row: Row
) -> None:
    answer = door.send(
        row.body, row.path, method=row.method, content_type=row.content_type, headers=row.headers
    )
    assert answer.status_code == row.status, told(answer)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    if row.status == 202:
        assert answer.content_type == JSON
        assert len(door.published) == len(told(answer)["events"])
        return
    assert answer.content_type == PROBLEM
    assert (told(answer)["type"], told(answer)["status"]) == (row.type, row.status)
    assert door.published == []
    assert ("Allow" in answer.headers) == (row.status == 405)


def test_every_class_is_here_or_is_said_to_be_elsewhere() -> None:
    here = {row.number for row in ROWS} | {raw.number for raw in RAW}
    assert here | set(ELSEWHERE) == set(CATALOGUE)
    assert len({row.id for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("path", sorted(set(ELSEWHERE.values())))
def test_what_is_elsewhere_exists(path: str) -> None:
    assert (ROOT / path).exists()


# -- the page -----------------------------------------------------------------------------------------------

LINES = {
    number: line
    for line in PAGE.splitlines()
    if (match := re.match(r"\| (\d+)(?:-(\d+))? \|", line))
    for number in range(int(match[1]), int(match[2] or match[1]) + 1)
}


def test_the_page_lists_every_class() -> None:
    assert list(LINES) == list(CATALOGUE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_page_says_what_is_answered(row: Row) -> None:
    line = LINES[row.number]
    assert str(row.status) in line
    assert f"`{row.type}`" in line or not row.type


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.id)
def test_the_page_says_what_is_answered_on_the_wire(raw: Raw) -> None:
    line = LINES[raw.number]
    assert all(str(status) in line for status in raw.statuses if status)
    assert f"`{raw.type}`" in line or not raw.type


@pytest.mark.parametrize(
    "limit",
    [strict_json.MAX_DEPTH, strict_json.MAX_MEMBERS, strict_json.MAX_NAME, body.MAX_RATIO, body.RATIO_FLOOR],
)
def test_the_readme_says_the_limits(limit: int) -> None:
    assert f" {limit:,} " in README


# -- what no request can show -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["dots", "slash", "internal", "long"])
def test_a_text_that_would_make_an_illegal_topic_makes_none(door: Door, text: str) -> None:
    (row,) = (row for row in ROWS if (row.number, row.name, row.status) == (67, text, 202))
    door.send(row.body)
    assert [record.topic for record in door.published] == ["events.custom"]


def test_a_bad_member_of_a_batch_is_named_by_its_index(door: Door) -> None:
    (row,) = (row for row in ROWS if row.name == "one bad member")
    answer = door.send(row.body, content_type=row.content_type)
    assert all(error["pointer"].startswith("/1/") for error in told(answer)["errors"])
