"""How many requests a principal may send. Counted in memory: each worker process has a count of its own."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from gateway.denials import RateLimited

ANONYMOUS = ""


def check(rate: str) -> str:
    """Give a rate that can be read, such as ``600/minute``. Raises ValueError."""
    try:
        items = limits.parse_many(rate)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise ValueError("must be a rate such as 600/minute or 20/second")
    return rate


class Rates:
    """Counts the requests of each principal in windows that begin with the first of them."""

    def __init__(self, default: str | None, own: Mapping[str, str]) -> None:
        """``own`` are the rates of principals that do not have the default; None is no limit."""
        self._default = limits.parse(default) if default else None
        self._own = {name: limits.parse(rate) for name, rate in own.items()}
        self._limiter: FixedWindowRateLimiter | None = None
        self._lock = threading.Lock()

    def take(self, principal: str) -> None:
        """Count one request. Raises RateLimited."""
        if (item := self._own.get(principal, self._default)) is None:
            return
        with self._lock:  # the storage starts a timer at most once at a time, but not by itself
            # Made late: its timer is a thread, which must not be there when the workers are forked.
            self._limiter = self._limiter or FixedWindowRateLimiter(MemoryStorage())
            if self._limiter.hit(item, principal):
                return
            reset = self._limiter.get_window_stats(item, principal).reset_time
        wait = min(max(1, math.ceil(reset - time.time())), item.get_expiry())
        raise RateLimited(f"more than {item} by this principal", wait)

    def per_minute(self, principal: str | None) -> int | None:
        """Give what a principal may send, or one that is not known yet: then the least of all; None: any."""
        known = [self._own.get(principal, self._default)] if principal is not None else []
        items = known or [self._default, *self._own.values()]
        allowed = [max(1, item.amount * 60 // item.get_expiry()) for item in items if item]
        return min(allowed, default=None)
