"""Large bodies are worked on beside the event loop, in a thread: no slice of that is sure to be short."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from gateway.promises import Promise
from gateway.publishing.poller import Poller
from gateway.web.answers import Answer

LARGE_BYTES = 131_072
"""Of a body, the least that is worked on here."""

_SWITCH_SECONDS = 0.001  # for the loop to have the interpreter back; usually five times as long


class Apart:
    """One for each worker; used in its event loop."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        # One, since more would take turns with each other before the loop has its own.
        self._thread = ThreadPoolExecutor(1, "large-bodies")
        self._usual = sys.getswitchinterval()
        self._busy = 0

    async def take(
        self, work: Callable[[], Promise[Answer]], wait: Callable[[Promise[Answer]], Awaitable[Answer]]
    ) -> Answer:
        """Do the work in the thread, then wait for what it gives; reports are served by another thread."""
        with self._shared(), self._poller.by_thread():
            taken = await asyncio.get_running_loop().run_in_executor(self._thread, work)
            return await wait(taken)

    @contextmanager
    def _shared(self) -> Iterator[None]:
        self._busy += 1
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                sys.setswitchinterval(self._usual)
