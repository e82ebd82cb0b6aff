"""Logs as one JSON object a line, without payloads or secrets, control characters escaped by JSON itself."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# At DEBUG it logs keys, values and headers of records; at ERROR, several lines for each attempt to connect.
# The gateway says itself, once, when Kafka goes away and when it is back.
_TALKATIVE = "kafka"


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, and whatever was passed as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # ASCII only: whatever a sender wrote, a line stays one line


def configure(level: str) -> None:
    """Send the logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger(_TALKATIVE).setLevel(logging.WARNING if level == "debug" else logging.CRITICAL)
