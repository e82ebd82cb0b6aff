"""What Kafka will never take, in the gateway's words."""

from __future__ import annotations

from gateway.errors import RecordRefused, TooLarge
from gateway.model import Problem, Record


def too_large(record: Record) -> TooLarge:
    """Say that a record is larger than its topic, or the broker, takes."""
    problem = Problem("", "size", f"the normalised event has {record.size} bytes")
    return TooLarge("Kafka refuses an event as too large; what else was sent with it is published", [problem])


def refused(reason: str) -> RecordRefused:
    """Say that a record is refused, and by which of Kafka's errors."""
    problem = Problem("", "kafka", reason)
    return RecordRefused("Kafka refuses an event; what else was sent with it is published", [problem])
