"""One JSON object a line, whatever is logged."""

from __future__ import annotations

import json
import logging
from typing import Any

from gateway.logs import JsonFormatter


def line(message: str, *args: object, **more: Any) -> dict[str, Any]:
    """A log entry as a log collector reads it."""
    logger = logging.Logger("gateway.test")
    entry = logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, args, more.pop("exc_info", None), extra=more
    )
    text = JsonFormatter().format(entry)
    assert "\n" not in text
    return dict(json.loads(text))


def test_an_entry_has_a_time_a_level_a_logger_and_a_message() -> None:
    told = line("%d of %d refused", 1, 2)
    assert {name: told[name] for name in ("level", "logger", "message")} == {
        "level": "warning",
        "logger": "gateway.test",
        "message": "1 of 2 refused",
    }
    assert told["time"].endswith("+00:00")


def test_what_is_passed_as_extra_stands_beside_it() -> None:
    told = line("refused", request="r-1", topics=["a", "b"])
    assert told["request"] == "r-1"
    assert told["topics"] == ["a", "b"]


def test_control_characters_cannot_forge_a_second_line() -> None:
    forged = 'x\n{"level":"error"}\r\x1b[31m\u2028'
    assert line("%s", forged)["message"] == forged


def test_an_exception_is_told_with_its_traceback() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        told = line("failed", exc_info=(type(error), error, error.__traceback__))
    assert "Traceback" in told["exception"]
    assert "ValueError: broken" in told["exception"]


def test_half_a_character_does_not_lose_the_entry() -> None:
    assert line("path %s", "/a\udcff")["level"] == "warning"
