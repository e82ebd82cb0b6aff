"""What a setting's value must be like. Each raises ValueError, which says what to mend."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

PREFIX = "GATEWAY_"


def variable(name: str) -> str:
    """Give the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def split(value: Any) -> Any:
    """Give the parts of a text between commas; of anything else, itself."""
    return tuple(p for part in value.split(",") if (p := part.strip())) if isinstance(value, str) else value


def pairs(value: Any) -> Any:
    """Give what a text such as ``a=1,b=2`` says of each name; of anything else, itself."""
    if not isinstance(value, str):
        return value
    parts = [[word.strip() for word in part.partition("=")] for part in split(value)]
    if not all(name and sign and told for name, sign, told in parts):
        raise ValueError("must be name=value, such as sentry=300, separated by commas")
    if len({name for name, _, _ in parts}) < len(parts):
        raise ValueError("names something twice")
    return {name: told for name, _, told in parts}


def at_least_one(value: tuple[str, ...]) -> tuple[str, ...]:
    """Demand a system."""
    if not value:
        raise ValueError("must name at least one system")
    return value


def host_and_port(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Demand addresses."""
    for address in (value,) if isinstance(value, str) else value:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
            raise ValueError("must be host:port, such as 127.0.0.1:8080")
    return value


def part_of_a_topic(value: str) -> str:
    """Demand what Kafka allows in the name of a topic."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]+", value, re.ASCII):
        raise ValueError("may hold letters, digits, '.', '_' and '-' only, as a Kafka topic does")
    return value


def topic_template(value: str) -> str:
    """Demand the two fields without which topics would run together."""
    fields = [name for _, name, _, _ in string.Formatter().parse(value) if name is not None]
    if not {"prefix", "subject"} <= set(fields) <= {"prefix", "subject", "predicate"}:
        raise ValueError("must name {prefix} and {subject}, may name {predicate}, and nothing else")
    return value


def readable(value: Path | None) -> Path | None:
    """Demand a file, when one is named."""
    try:
        if value is not None:
            value.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {value}: {error.strerror}") from None
    return value


def folder(value: Path | None) -> Path | None:
    """Demand a folder, when one is named."""
    if value is not None and not value.is_dir():
        raise ValueError(f"{value} is no folder")
    return value
