"""The Kafka client over kafka-python: acknowledged only after all in-sync replicas have the record.

One thread, the *sender*, hands records to the producer in the order they came, so that no request thread ever
waits for Kafka's metadata.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from gateway.errors import GatewayError, Unavailable
from gateway.model import Health, Outcome, Placement, Record
from gateway.publishing import kafka_clients
from gateway.publishing.client import End, Ended, Lane
from gateway.publishing.kafka_connection import AWAY, KafkaConnection
from gateway.publishing.supervision import Supervision
from gateway.settings import Settings

logger = logging.getLogger(__name__)

_UNKNOWN = "Kafka did not take the event; it may have been written"


@dataclass(frozen=True, slots=True)
class _Sending:
    number: int
    records: Sequence[Record]
    ended: Ended


@dataclass(frozen=True, slots=True)
class _Sent:
    record: Record
    index: int
    ended: Ended
    producer: KafkaProducer | None


class KafkaPython:
    """A client over one kafka-python producer after another: one that is stuck is replaced."""

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str],
        *,
        rebuilt: Callable[[], None] = lambda: None,
        supervision: Supervision | None = None,
    ) -> None:
        """``topics`` are the declared ones, which must exist on the broker; none is created here.

        ``rebuilt`` is called each time a producer was replaced.
        """
        self._rebuilt = rebuilt
        self._supervision = supervision or Supervision()
        self._queue: queue.SimpleQueue[_Sending | None] = queue.SimpleQueue()
        self._queued = itertools.count(1)
        self._barred: dict[Lane, int] = {}  # the sender's: what was queued before that number is not sent
        # In the order sent. To take a record out is to end it, so that it ends once whoever comes first.
        self._outstanding: dict[int, _Sent] = {}
        self._numbers = itertools.count()
        self._sender = threading.Thread(target=self._send_all, name="kafka-sender", daemon=True)
        self._connection: KafkaConnection[KafkaProducer] = KafkaConnection(
            kafka_clients.Library(settings),
            settings,
            topics,
            self._supervision,
            lambda: bool(self._outstanding),
            self._replaced,
        )
        self._closed = False

    def start(self) -> None:
        """Start the threads; the connection is made by them, however long it takes."""
        self._connection.start()
        self._sender.start()

    @property
    def available(self) -> bool:
        """Whether the brokers answered when last asked."""
        return self._connection.available

    def takes(self, topic: str) -> bool:
        """Whether the brokers have that topic, and let us write to it as far as is known."""
        return self._connection.takes(topic)

    def send(self, records: Sequence[Record], ended: Ended) -> None:
        """Queue the records for the sender thread."""
        self._queue.put(_Sending(next(self._queued), records, ended))

    def healthy(self) -> Health:
        """Ready while the brokers answer and at least one topic is there; the missing ones are named."""
        return self._connection.healthy()

    def close(self, seconds: float) -> None:
        """Let what was sent be acknowledged within the time, then end the rest."""
        if self._closed:
            return
        self._closed = True
        end = time.monotonic() + seconds
        self._queue.put(None)
        if self._sender.is_alive():
            self._sender.join(timeout=seconds)
        self._connection.close(max(0.0, end - time.monotonic()))
        for sending in self._left():
            for index in range(len(sending.records)):
                sending.ended([(index, Unavailable(AWAY))])
        for number in list(self._outstanding):
            self._end(number, Unavailable(_UNKNOWN))

    # -- the sender thread, and kafka-python's own, which calls back ----------------------------------------

    def _left(self) -> Iterator[_Sending]:
        with suppress(queue.Empty):  # the sender may be at it, too
            while True:
                if sending := self._queue.get_nowait():
                    yield sending

    def _send_all(self) -> None:
        while (sending := self._queue.get()) is not None:
            for index, record in enumerate(sending.records):
                try:
                    self._send(record, index, sending)
                except Exception:  # this thread must live on
                    logger.exception("a record could not be given to Kafka")
            if self._queue.empty():
                self._barred.clear()

    def _send(self, record: Record, index: int, sending: _Sending) -> None:
        """Give a record to the producer; when that fails, what waits behind it in its lane fails with it."""
        number, producer = next(self._numbers), self._connection.producer
        self._outstanding[number] = _Sent(record, index, sending.ended, producer)
        try:
            if producer is None or not self.takes(record.topic):
                raise Unavailable(AWAY)  # not waited for: that would hold up the other topics
            if sending.number < self._barred.get(record.lane, 0):
                raise Unavailable(AWAY)
            sent = producer.send(
                record.topic, key=record.key, value=record.value, headers=list(record.headers)
            )
        except Exception as error:  # kafka-python raises ValueError, TypeError and more beside its own tree
            refused = kafka_clients.refusal(error, record) is not None
            if isinstance(error, KafkaTimeoutError):
                self._connection.forget(record.topic)
            elif not (refused or isinstance(error, GatewayError)) and producer is self._connection.producer:
                self._supervision.fault()
            self._failed(number, error)
            if not refused:
                self._barred[record.lane] = next(self._queued)
        else:
            sent.add_callback(lambda metadata: self._acknowledged(number, metadata))
            sent.add_errback(lambda error: self._failed(number, error))

    def _acknowledged(self, number: int, metadata: Any) -> None:
        self._supervision.progress()
        self._end(number, Placement(Outcome.PUBLISHED, metadata.partition, metadata.offset))

    def _failed(self, number: int, error: BaseException) -> None:
        sent = self._outstanding.get(number)
        if sent is None:
            return
        refusal = kafka_clients.refusal(error, sent.record)
        if refusal is not None:
            self._supervision.progress()  # the brokers answered, if with a no
        elif kafka_clients.is_about_topic(error):
            self._connection.shun(sent.record.topic)
        told = {"topic": sent.record.topic, "error": type(error).__name__}
        logger.log(logging.WARNING if refusal else logging.DEBUG, "Kafka did not take a record", extra=told)
        self._end(number, refusal or Unavailable(_UNKNOWN))

    def _end(self, number: int, end: End) -> None:
        sent = self._outstanding.pop(number, None)
        if sent is not None:
            sent.ended([(sent.index, end)])

    def _replaced(self, producer: KafkaProducer) -> None:
        """End what only a producer that is gone could have acknowledged."""
        self._rebuilt()
        for number, sent in list(self._outstanding.items()):
            if sent.producer is producer:
                self._end(number, Unavailable(_UNKNOWN))
