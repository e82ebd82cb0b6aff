"""Tells when a Kafka producer is stuck and has to be replaced.

kafka-python 3 has states it never leaves: a spinning sender thread, a producer that fails every later record
(reference/reliability.md, T1 to T5). From outside they look alike: the brokers answer, records wait, and none
is acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_PATIENCE_SECONDS = 10.0
_MOST_PATIENCE_SECONDS = 300.0


class Supervision:
    """Watches the progress of one producer after another.

    Each replacement that does not help doubles the patience: brokers that answer but acknowledge nothing
    (too few replicas in sync) are not helped by a new producer.
    """

    def __init__(
        self, patience: float = _PATIENCE_SECONDS, now: Callable[[], float] = time.monotonic
    ) -> None:
        """``patience`` in seconds without an acknowledgement."""
        self._base = self._patience = patience
        self._now = now
        self._fault = False
        self._since: float | None = None  # when the present wait began; None while nothing can be expected

    def progress(self) -> None:
        """The brokers acknowledged or refused a record."""
        self._patience, self._since, self._fault = self._base, None, False

    def fault(self) -> None:
        """The producer failed in a way that is neither a record's nor the brokers'."""
        self._fault = True

    def stuck(self, *, answering: bool, waiting: bool, alive: bool) -> bool:
        """Say whether to replace the producer now; asked every few seconds.

        ``answering``: the brokers answer; ``waiting``: records wait for them; ``alive``: its thread runs.
        """
        now, since = self._now(), self._since  # which another thread may take away meanwhile
        if not (answering and waiting):
            since = self._since = None
        elif since is None:
            since = self._since = now
        waited = 0.0 if since is None else now - since
        return answering and (self._fault or not alive or waited >= self._patience)

    def replaced(self) -> None:
        """A new producer begins."""
        self._patience = min(2 * self._patience, _MOST_PATIENCE_SECONDS)
        self._since, self._fault = None, False
