"""The Kafka client over kafka-python: acknowledged only after all in-sync replicas have the record.

Records are put into the producer's batches by whoever sends them, which never blocks: no topic is written
to before its partitions are known. Acknowledgements come from the producer's own thread, a record at a time;
they are told once all of a request are there. One thread, the *teller*, tells those that wait too long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kafka import KafkaProducer

from gateway.errors import GatewayError, Unavailable
from gateway.model import Health, Outcome, Placement, Record
from gateway.publishing import kafka_clients
from gateway.publishing.client import End, Ended, Lane
from gateway.publishing.kafka_connection import AWAY, KafkaConnection
from gateway.publishing.kafka_places import Places
from gateway.publishing.sendings import UNKNOWN, Sending, Sendings
from gateway.publishing.supervision import Supervision
from gateway.settings import Settings

logger = logging.getLogger(__name__)

Sent = Sending[KafkaProducer]

_COMPANY_SECONDS = 0.02  # how long an acknowledgement waits for those of the same request
_LOOK_SECONDS = 1.0


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
        self._sendings: Sendings[KafkaProducer] = Sendings()
        self._lock = threading.Lock()  # for the order of what is given
        self._places = Places(None)
        self._looked = 0.0
        self._partial: dict[Sent, None] = {}  # some of their acknowledgements are not told yet
        self._acknowledged_some = threading.Event()
        self._connection: KafkaConnection[KafkaProducer] = KafkaConnection(
            kafka_clients.Library(settings),
            settings,
            topics,
            self._supervision,
            lambda: bool(self._sendings),
            self._replaced,
        )
        self._teller = threading.Thread(target=self._tell_all, name="kafka-teller", daemon=True)
        self._closed = False

    def start(self) -> None:
        """Start the threads; the connection is made by them, however long it takes."""
        self._connection.start()
        self._teller.start()

    @property
    def available(self) -> bool:
        """Whether the brokers answered when last asked."""
        return self._connection.available

    def takes(self, topic: str) -> bool:
        """Whether the brokers have that topic, and let us write to it as far as is known."""
        return self._connection.takes(topic)

    def send(self, records: Sequence[Record], ended: Ended) -> None:
        """Give the records to the producer; what it does not take ends before this returns."""
        with self._lock:
            producer = None if self._closed else self._connection.producer
            if producer is not None:
                sending = self._sendings.add(records, ended, producer)
                not_given = self._give(sending)
        if producer is None:
            ended([(index, Unavailable(AWAY)) for index in range(len(records))])
            return
        if producer is not self._connection.producer:  # replaced meanwhile: nobody else will end this
            self._sendings.give_up(producer)
        if not_given:
            self._sendings.tell(sending, not_given)

    def healthy(self) -> Health:
        """Ready while the brokers answer and at least one topic is there; the missing ones are named."""
        return self._connection.healthy()

    def close(self, seconds: float) -> None:
        """Let what was sent be acknowledged within the time, then end the rest."""
        if self._closed:
            return
        with self._lock:
            self._closed = True
        self._connection.close(seconds)
        self._acknowledged_some.set()
        if self._teller.is_alive():
            self._teller.join(timeout=1)
        self._tell_partial()
        self._sendings.give_up()

    # -- giving records, under the lock ---------------------------------------------------------------------

    def _give(self, sending: Sent) -> list[tuple[int, End]]:
        """Give records to the producer; tell the ends of those that it does not take.

        Where one is not taken, those behind it in its lane are not given.
        """
        producer, places = sending.producer, self._places_of(sending.producer)
        not_given: list[tuple[int, End]] = []
        barred: set[Lane] = set()
        wake = False
        for index, record in enumerate(sending.records):
            try:
                if barred and record.lane in barred:
                    raise Unavailable(AWAY)
                if (place := places.of(record.topic, record.key)) is None:
                    self._connection.forget(record.topic)
                    raise Unavailable(AWAY)  # not waited for: that would hold up the other topics
                sent, news = kafka_clients.append(producer, place, record)
                wake = wake or news
            except Exception as error:  # kafka-python raises ValueError, TypeError and more
                not_given.append((index, self._not_given(record, error)))
                if isinstance(not_given[-1][1], Unavailable):
                    barred.add(record.lane)
            else:
                sent.add_callback(partial(self._acknowledged, sending, index))
                sent.add_errback(partial(self._failed, sending, index))
        if wake:
            kafka_clients.wake(producer)
        return not_given

    def _places_of(self, producer: KafkaProducer) -> Places:
        if self._places.producer is not producer:
            self._places = Places(producer)
        if (now := time.monotonic()) > self._looked + _LOOK_SECONDS:
            self._looked = now
            self._places.look()
        return self._places

    def _not_given(self, record: Record, error: Exception) -> End:
        refused = kafka_clients.refusal(error, record)
        if refused is None and not isinstance(error, GatewayError):
            self._supervision.fault()
        return self._end_of(record, error)

    # -- what kafka-python's thread calls back, and the teller ----------------------------------------------

    def _acknowledged(self, sending: Sent, index: int, metadata: Any) -> None:
        ends = sending.ends
        ends.append((index, Placement(Outcome.PUBLISHED, metadata.partition, metadata.offset)))
        if (ready := len(ends)) == sending.open:
            self._tell(sending)
        elif ready == 1:
            self._partial[sending] = None
            self._acknowledged_some.set()

    def _tell(self, sending: Sent) -> None:
        """Tell what was acknowledged; another thread may add to it meanwhile."""
        self._supervision.progress()
        ready = len(sending.ends)
        told = sending.ends[:ready]
        del sending.ends[:ready]
        self._sendings.tell(sending, told)

    def _tell_all(self) -> None:
        while not self._closed:
            self._acknowledged_some.wait()
            self._acknowledged_some.clear()
            time.sleep(_COMPANY_SECONDS)
            self._tell_partial()

    def _tell_partial(self) -> None:
        while self._partial:
            sending, _ = self._partial.popitem()
            try:
                self._tell(sending)
            except Exception:  # the teller must live on
                logger.exception("acknowledgements could not be told")
            if sending.ends:  # came meanwhile, and noted nothing since it was not the first
                self._partial[sending] = None

    def _failed(self, sending: Sent, index: int, error: BaseException) -> None:
        if not sending.told[index]:
            self._sendings.tell(sending, [(index, self._end_of(sending.records[index], error))])

    def _end_of(self, record: Record, error: BaseException) -> End:
        """Say what an error means for the record, and draw what follows for its topic."""
        refusal = kafka_clients.refusal(error, record)
        if refusal is not None:
            self._supervision.progress()  # the brokers answered, if with a no
        elif kafka_clients.is_about_topic(error):
            self._connection.shun(record.topic)
        told = {"topic": record.topic, "error": type(error).__name__}
        logger.log(logging.WARNING if refusal else logging.DEBUG, "Kafka did not take a record", extra=told)
        return refusal or Unavailable(UNKNOWN)

    def _replaced(self, producer: KafkaProducer) -> None:
        """End what only a producer that is gone could have acknowledged."""
        self._rebuilt()
        self._sendings.give_up(producer)
