"""What the links in a sender's document tell of the sender."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from gateway.sources.source import uri_of


def first_link(*values: Any) -> str | None:
    """Give the first value that is an absolute URI."""
    return next((link for value in values if (link := uri_of(value))), None)


def host_of(value: Any) -> str | None:
    """Give ``scheme://host[:port]`` of an absolute URI, without a user's name; ``None`` for anything else."""
    parts = urlsplit(uri_of(value) or "")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if host else None
