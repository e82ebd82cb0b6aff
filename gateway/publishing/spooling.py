"""``ack=auto`` and ``ack=spool``: a 2xx means Kafka has it, or the spool has it synced and will send it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gateway.errors import Unavailable
from gateway.haste import NO_HASTE, Haste
from gateway.model import Health, Placement, Record
from gateway.promises import Promise
from gateway.publishing.answers import Answers
from gateway.publishing.client import Client
from gateway.publishing.deadlines import Budgets, Deadlines
from gateway.publishing.dispatch import Dispatch
from gateway.publishing.drainer import Drainer
from gateway.publishing.group_commit import GroupCommit
from gateway.publishing.request import Request
from gateway.publishing.shelf import SetAside, Shelf, StepAside
from gateway.publishing.spool import SpoolFiles

_CLOSE_SECONDS = 3.0
_SLOW = "neither Kafka nor the disk answered in time; the event may have been written"


class Spooling:
    """A publisher over a Kafka client and a spool; ``Dispatch`` decides which of them takes a record."""

    def __init__(
        self,
        client: Client,
        spool: GroupCommit[SpoolFiles],
        *,
        always_spool: bool = False,
        budget: float,
        disk_timeout: float,
        max_bytes: int,
        max_in_flight_bytes: int,
        alarm_seconds: float = 600,
        step_aside: StepAside = lambda record, error: None,
        set_aside: SetAside = lambda kept: None,
    ) -> None:
        """``budget``, ``disk_timeout`` and ``alarm_seconds`` in seconds; ``always_spool`` is ack=spool."""
        self._client = client
        self._spool = spool
        self._budget = Budgets(budget)
        self._disk = Deadlines(disk_timeout)
        answers = Answers()
        self._shelf = Shelf(
            spool,
            answers,
            max_bytes=max_bytes,
            max_in_flight_bytes=max_in_flight_bytes,
            step_aside=step_aside,
            set_aside=set_aside,
            spooling=self._watch_disk,
        )
        self._dispatch = Dispatch(
            client,
            self._shelf,
            answers,
            always_spool=always_spool,
            max_in_flight_bytes=max_in_flight_bytes,
        )
        self._drainer = Drainer(spool, self._shelf.rows, self._dispatch, alarm_seconds)
        self._max_bytes = max_bytes
        self._slow = 0.0  # when the disk last let a request wait too long, by the monotonic clock
        self._closed = False

    def start(self) -> None:
        """Read the spool back, and connect, in the background."""
        for part in (self._budget, self._disk, self._spool, self._client, self._drainer):
            part.start()

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        """Send each record to Kafka or to the spool, as its state, its key and its sender's haste say."""
        request = Request(records)
        if self._closed:
            request.future.fail(Unavailable("the gateway is stopping"))
        elif records and self._dispatch.take(
            request, straight_to_spool=haste.spool, patient=haste is NO_HASTE
        ):
            early = haste.budget is not None
            self._budget.watch(
                request.future, lambda: self._dispatch.late(request, early=early), haste.budget
            )
        return request.future

    def healthy(self) -> Health:
        """Ready while Kafka or the spool takes a record."""
        if self._closed:
            return Health(False, "stopping")
        kafka = self._client.healthy()
        direct = kafka.ready and not self._dispatch.away
        status = kafka.status if direct else "Kafka is away; events go to the spool"
        ready = True
        if trouble := self._trouble():
            ready, status = direct, f"{kafka.status}; {trouble}"
        elif self._drainer.alarmed:
            status = f"{kafka.status}; events wait in the spool for too long"
        return Health(ready, status, kafka.missing_topics, self._shelf.backlog.records)

    def close(self) -> None:
        """Let Kafka acknowledge what is under way within seconds; the rest is in the spool by then."""
        if self._closed:
            return
        self._closed = True
        self._drainer.stop()
        self._client.close(_CLOSE_SECONDS)
        self._tidy()
        self._spool.close()
        self._budget.stop()
        self._disk.stop()

    def _tidy(self) -> None:
        """Delete what is acknowledged, even while it is being written, lest the next start sends it again."""
        self._shelf.rows.retry()
        if self._spool.running:
            self._spool.submit(lambda files: None, grows=False).wait(_CLOSE_SECONDS)

    def gauges(self) -> dict[str, float]:
        """Give what the metrics show of it."""
        backlog = self._shelf.backlog
        return {
            "kafka_up": float(self._client.available and not self._dispatch.away),
            "missing_topics": len(self._client.healthy().missing_topics),
            "in_flight_bytes": self._dispatch.held_bytes,
            "spool_records": backlog.records,
            "spool_bytes": backlog.bytes,
            "spool_max_bytes": self._max_bytes,
            "spool_oldest_seconds": self._drainer.oldest_seconds,
            "spool_parked": self._drainer.parked,
            "spool_refuses": float(self._trouble() is not None),
        }

    def _trouble(self) -> str | None:
        if self._spool.broken:
            return "the disk refuses"
        if self._slow > self._shelf.heard:
            return "the disk hangs"
        return "the spool is full" if self._shelf.backlog.full else None

    def _watch_disk(self, request: Request) -> None:
        self._disk.watch(request.future, lambda: self._too_slow(request))

    def _too_slow(self, request: Request) -> None:
        if request.future.fail(Unavailable(_SLOW)):
            self._slow = time.monotonic()
