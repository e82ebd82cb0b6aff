"""``ack=broker``: a 2xx means Kafka has it, and nothing is kept here."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import Unavailable
from gateway.haste import NO_HASTE, Haste
from gateway.model import Health, Placement, Record
from gateway.promises import Promise
from gateway.publishing.client import Client, End
from gateway.publishing.deadlines import Budgets
from gateway.publishing.in_flight import InFlight
from gateway.publishing.request import Request

CLOSE_SECONDS = 5.0
_LATE = "Kafka did not acknowledge in time; the event may have been written"


class BrokerAck:
    """A publisher that waits for Kafka as long as the budget, and not at all when it is known to be away."""

    def __init__(self, client: Client, *, budget: float, max_in_flight_bytes: int) -> None:
        """``budget`` in seconds."""
        self._client = client
        self._deadlines = Budgets(budget)
        self._in_flight = InFlight(max_in_flight_bytes)
        self._closed = False

    def start(self) -> None:
        """Start the client in the background."""
        self._deadlines.start()
        self._client.start()

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        """Hand the records to the client; Unavailable at once while Kafka, or a topic, is away."""
        request = Request(records)
        if self._closed:
            request.future.fail(Unavailable("the gateway is stopping"))
        elif stranger := next((r.topic for r in records if not self._client.takes(r.topic)), None):
            away = f"the topic {stranger} cannot be written" if self._client.available else "Kafka is away"
            request.future.fail(Unavailable(away))
        elif refused := self._in_flight.reserve(records):
            request.future.fail(refused)
        elif records:
            self._send(request, haste.budget)
        return request.future

    def healthy(self) -> Health:
        """Ready as the client is; a missing topic is named and only its own events are refused."""
        return Health(False, "stopping") if self._closed else self._client.healthy()

    def close(self) -> None:
        """Wait a few seconds for the acknowledgements that are under way, then let go."""
        if not self._closed:
            self._closed = True
            self._client.close(CLOSE_SECONDS)
            self._deadlines.stop()

    def gauges(self) -> dict[str, float]:
        """Give what the metrics show of it."""
        return {
            "kafka_up": float(self._client.available),
            "missing_topics": len(self._client.healthy().missing_topics),
            "in_flight_bytes": self._in_flight.bytes,
        }

    def _send(self, request: Request, budget: float | None) -> None:
        def ended(ends: Sequence[tuple[int, End]]) -> None:
            self._in_flight.release(request.records[index] for index, _ in ends)
            request.end(ends)

        self._deadlines.watch(request.future, lambda: request.future.fail(Unavailable(_LATE)), budget)
        self._client.send(request.records, ended)
