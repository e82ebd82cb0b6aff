"""Publishing to Apache Kafka through kafka-python: answered only after all in-sync replicas have it.

Three threads a process, all started after the fork: the *watcher* connects, and from then on asks the
brokers every few seconds whether they are there and which topics they have; the *sender* hands records to
the producer in the order they came; the *deadlines* end waits. A request thread never talks to Kafka.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, RecordListTooLargeError

from gateway.errors import Failure, GatewayError, TooLarge, Unavailable
from gateway.model import Health, Outcome, Placement, Problem, Record
from gateway.publishing import kafka_clients
from gateway.publishing.futures import Deadlines, fail, succeed
from gateway.publishing.in_flight import InFlight
from gateway.settings import Settings

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 2.0
_RETRY_SECONDS = 1.0
_PROBE_TIMEOUT_MS = 3_000
_CLOSE_SECONDS = 5.0
_AWAY = "Kafka is away"
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass(slots=True)
class _Request:
    """The records of one request on their way, and what has become of each."""

    records: tuple[Record, ...]
    future: Future[tuple[Placement, ...]] = field(default_factory=Future)
    ended: dict[int, Placement | GatewayError] = field(default_factory=dict)

    def settle(self) -> None:
        """Settle the future once every record has ended; a failure counts more than a refusal."""
        if len(self.ended) < len(self.records):
            return
        ended = [self.ended[index] for index in range(len(self.records))]
        errors = [end for end in ended if isinstance(end, GatewayError)]
        if not errors:
            succeed(self.future, tuple(end for end in ended if isinstance(end, Placement)))
            return
        worst = next((error for error in errors if isinstance(error, Failure)), errors[0])
        worst.outcomes = tuple(map(_outcome, ended))
        fail(self.future, worst)


class KafkaPublisher:
    """A publisher over one kafka-python producer."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        """``topics`` are the declared ones, which must exist on the broker; none is created here."""
        self._settings = settings
        self._declared = frozenset(topics)
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._deadlines = Deadlines(settings.ack_budget_ms / 1_000)
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="kafka-watcher", daemon=True)
        self._sender = threading.Thread(target=self._send_all, name="kafka-sender", daemon=True)
        self._admin: KafkaAdminClient | None = None
        self._producer: KafkaProducer | None = None
        self._topics: frozenset[str] | None = None  # None while the brokers are away
        self._told: Any = None
        self._in_flight = InFlight(settings.max_in_flight_bytes)
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the threads; the connection is made by them, however long it takes."""
        self._deadlines.start()
        self._watcher.start()
        self._sender.start()

    def publish(self, records: Sequence[Record]) -> Future[tuple[Placement, ...]]:
        """Queue the records for Kafka; Unavailable at once while the brokers are known to be away."""
        request = _Request(tuple(records))
        if refused := self._refuses(request):
            fail(request.future, refused)
        elif not records:
            succeed(request.future, ())
        else:
            self._requests.put(request)
            late = Unavailable("Kafka did not acknowledge in time; the event may have been written")
            self._deadlines.watch(request.future, lambda: fail(request.future, late))
        return request.future

    def healthy(self) -> Health:
        """Ready while the brokers answer; a missing topic is named and only its own events are refused."""
        topics = self._topics
        if self._stop.is_set():
            return Health(False, "stopping")
        if topics is None:
            return Health(False, _AWAY)
        missing = tuple(sorted(self._declared - topics))
        if missing:
            return Health(len(missing) < len(self._declared), "topics are missing on Kafka", missing)
        return Health(True, "Kafka")

    def close(self) -> None:
        """Wait a few seconds for the acknowledgements that are under way, then let go."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._requests.put(None)
        for thread in (self._sender, self._watcher):
            if thread.is_alive():
                thread.join(timeout=_CLOSE_SECONDS)
        for client in (self._producer, self._admin):
            _close(client)
        self._deadlines.stop()

    # -- request threads ------------------------------------------------------------------------------------

    def _refuses(self, request: _Request) -> GatewayError | None:
        """Say why the request cannot be taken; reserve its bytes when it can."""
        topics = self._topics
        if self._stop.is_set():
            return Unavailable("the gateway is stopping")
        if topics is None:
            return Unavailable(_AWAY)
        if missing := {record.topic for record in request.records} - topics:
            return Unavailable(f"the topic {min(missing)} does not exist yet")
        return self._in_flight.reserve(request.records)

    # -- the sender thread, and kafka-python's own, which calls back ----------------------------------------

    def _send_all(self) -> None:
        while (request := self._requests.get()) is not None:
            for index, record in enumerate(request.records):
                self._send(request, index, record)

    def _send(self, request: _Request, index: int, record: Record) -> None:
        try:
            if self._producer is None or request.future.done():
                raise Unavailable(_AWAY)  # its sender was told to send again: once on Kafka is enough
            sent = self._producer.send(
                record.topic, key=record.key, value=record.value, headers=list(record.headers)
            )
        except Exception as error:  # kafka-python raises ValueError, TypeError and more beside its own tree
            if isinstance(error, KafkaTimeoutError) and self._topics:
                self._topics -= {record.topic}  # it is gone: the next event must not wait for it again
            self._failed(request, index, error)
        else:
            sent.add_callback(lambda metadata: self._acknowledged(request, index, metadata))
            sent.add_errback(lambda error: self._failed(request, index, error))

    def _acknowledged(self, request: _Request, index: int, metadata: Any) -> None:
        self._end(request, index, Placement(Outcome.PUBLISHED, metadata.partition, metadata.offset))

    def _failed(self, request: _Request, index: int, error: BaseException) -> None:
        record = request.records[index]
        if not request.future.done():
            told = {"topic": record.topic, "error": type(error).__name__}
            logger.warning("Kafka did not take a record", extra=told)
        if isinstance(error, _TOO_LARGE):
            pointer = f"/{index}" if len(request.records) > 1 else ""  # only a batch has more than one
            problem = Problem(pointer, "size", f"the normalised event has {record.size} bytes")
            refused = "Kafka refuses an event as too large; what else was sent with it is published"
            self._end(request, index, TooLarge(refused, [problem]))
        else:
            late = "Kafka did not take the event; it may have been written"
            self._end(request, index, Unavailable(late))

    def _end(self, request: _Request, index: int, end: Placement | GatewayError) -> None:
        self._in_flight.release([request.records[index]])
        with self._lock:
            request.ended[index] = end
            request.settle()

    # -- the watcher thread ---------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._probe()
            except Exception as error:  # whatever kafka-python throws, this thread must live on
                self._lost(error)
                self._stop.wait(_RETRY_SECONDS)
            else:
                self._stop.wait(_PROBE_SECONDS)

    def _probe(self) -> None:
        """Connect if need be, then ask which of the declared topics there are."""
        if self._admin is None:
            options = kafka_clients.connection(self._settings) | {"request_timeout_ms": _PROBE_TIMEOUT_MS}
            self._admin = kafka_clients.build(KafkaAdminClient, options)
        topics = self._declared & frozenset(self._admin.list_topics())
        if self._producer is None:
            self._producer = kafka_clients.build(KafkaProducer, kafka_clients.producer(self._settings))
        if fresh := topics - (self._topics or frozenset()):
            # So that no later send waits for metadata; all at once, since one answer tells of all of them.
            with ThreadPoolExecutor(len(fresh)) as pool:
                list(pool.map(self._producer.partitions_for, fresh))
        self._topics = topics
        if missing := sorted(self._declared - topics):
            message = "topics are missing on Kafka; run: gateway topics --create"
            self._tell(logging.ERROR, missing, message, missing=missing)
        else:
            self._tell(logging.INFO, "connected to Kafka", topics=len(topics))

    def _lost(self, error: Exception) -> None:
        self._topics = None
        _close(self._admin)
        self._admin = None
        if self._told != _AWAY:
            reached = kafka_clients.why_unreachable(self._settings)
            self._tell(logging.ERROR, _AWAY, error=f"{type(error).__name__}: {error}", reached=reached)

    def _tell(self, level: int, state: Any, message: str = "", **extra: Any) -> None:
        """Log a state once, when it begins."""
        if state != self._told:
            self._told = state
            logger.log(level, message or state, extra=extra)


def _outcome(end: Placement | GatewayError) -> Outcome:
    if isinstance(end, Placement):
        return end.outcome
    return Outcome.FAILED if isinstance(end, Failure) else Outcome.REJECTED


def _close(client: KafkaProducer | KafkaAdminClient | None) -> None:
    """Close a client; with records pending, kafka-python raises instead of giving up."""
    if client is None:
        return
    try:
        if isinstance(client, KafkaProducer):
            client.close(timeout=_CLOSE_SECONDS)
        else:
            client.close()
    except Exception as error:  # kafka-python, again
        logger.warning("a Kafka client did not close cleanly", extra={"error": str(error)})
