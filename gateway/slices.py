"""Long work cut into slices, for a thread to run through and for an event loop to do between other things."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TypeVar

Value = TypeVar("Value")

Slices = Generator[None, None, Value]
"""Work that stops after every slice and gives a value at its end. It must be run to its end."""


def run(slices: Slices[Value]) -> Value:
    """Do all of it now."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


async def spread(slices: Slices[Value]) -> Value:
    """Do it on the running event loop, which may do other things after every slice."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        await asyncio.sleep(0)
