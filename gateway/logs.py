"""Logs as one JSON object a line, without payloads or secrets, control characters escaped by JSON itself."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# At DEBUG it logs keys, values and headers of records; at ERROR, several lines for each attempt to connect.
# The gateway says itself, once, when Kafka goes away and when it is back.
_TALKATIVE = "kafka"
# What the HTTP server says of a request that it cannot read quotes the line, and that may hold a secret.
_SECRET = re.compile(
    r"(?i)([?&](?:access_token|key)=|\b(?:x-api-key|authorization)\b:?\s+(?:(?:bearer|basic)\s+)?"
    r"|\b(?:bearer|basic)\s+)[^\s&'\"]+"
)
_SERVERS = ("gunicorn.error", "gunicorn.access", "uvicorn.error", "uvicorn.access")


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, and whatever was passed as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, default=str)  # ASCII only: whatever a sender wrote, a line stays one line


def redacted(text: str) -> str:
    """Give a text without the credentials that a URL or a header may hold."""
    return _SECRET.sub(r"\1***", text)


def _redact(record: logging.LogRecord) -> bool:
    """Change the parts, not the whole: uvicorn's own formatter wants its arguments one by one."""
    record.msg = redacted(str(record.msg))
    if isinstance(record.args, tuple):
        record.args = tuple(_redacted_part(part) for part in record.args)
    return True


def _redacted_part(part: object) -> object:
    return part if (safe := redacted(str(part))) == str(part) else safe


def configure(level: str) -> None:
    """Send the logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _SERVERS:  # they write by themselves
        logging.getLogger(name).addFilter(_redact)
    logging.getLogger(_TALKATIVE).setLevel(logging.WARNING if level == "debug" else logging.CRITICAL)
