"""The Kafka client over librdkafka, by confluent-kafka: idempotent, and much cheaper than kafka-python.

Records are given to it by whoever sends them, which never blocks. The *poller* has the delivery reports
served, and those that came together of one request are told together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from gateway.errors import Unavailable
from gateway.model import Health, Outcome, Placement, Record
from gateway.publishing import librdkafka_clients as clients
from gateway.publishing.client import End, Ended, Lane
from gateway.publishing.kafka_connection import AWAY, KafkaConnection
from gateway.publishing.librdkafka_clients import Producers
from gateway.publishing.poller import Poller
from gateway.publishing.sendings import UNKNOWN, Sending, Sendings
from gateway.publishing.supervision import Supervision
from gateway.settings import Settings

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.0005
_SETTLE_SECONDS = 0.005
_IDLE_SECONDS = 0.02


Sent = Sending[Producers]


class Librdkafka:
    """A client over one librdkafka producer after another: one that is broken or stuck is replaced."""

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str],
        *,
        rebuilt: Callable[[], None] = lambda: None,
        supervision: Supervision | None = None,
        poller: Poller | None = None,
    ) -> None:
        """As of ``KafkaPython``; by ``poller`` an event loop may serve the reports."""
        self._rebuilt = rebuilt
        self._supervision = supervision or Supervision()
        self._sendings: Sendings[Producers] = Sendings()
        self._reported: list[Sent] = []
        self._failures: list[tuple[Sent, int, KafkaError, bool]] = []
        self._old: list[Producers] = []
        self._connection: KafkaConnection[Producers] = KafkaConnection(
            clients.Library(settings),
            settings,
            topics,
            self._supervision,
            lambda: bool(self._sendings),
            self._replaced,
        )
        self._poller = poller or Poller()
        self._poller.asks(self._poll)
        self._stop = threading.Event()
        self._closed = False

    def start(self) -> None:
        """Start the threads; the connection is made by them, however long it takes."""
        self._connection.start()
        self._poller.start()

    @property
    def available(self) -> bool:
        """Whether the brokers answered when last asked."""
        return self._connection.available

    def takes(self, topic: str) -> bool:
        """Whether the brokers have that topic, and let us write to it as far as is known."""
        return self._connection.takes(topic)

    def send(self, records: Sequence[Record], ended: Ended) -> None:
        """Give the records to the producer; what it does not take ends before this returns."""
        if (producers := self._connection.producer) is None:
            ended([(index, Unavailable(AWAY)) for index in range(len(records))])
            return
        with producers.lock:
            sending = self._sendings.add(records, ended, producers)
            not_given = self._give(sending, range(len(records)))
        self._poller.expect()
        if not_given:
            self._sendings.tell(sending, not_given)

    def healthy(self) -> Health:
        """Ready while the brokers answer and at least one topic is there; the missing ones are named."""
        return self._connection.healthy()

    def close(self, seconds: float) -> None:
        """Let what was sent be acknowledged within the time, then end the rest."""
        if self._closed:
            return
        self._closed = True
        self._connection.close(seconds)
        self._stop.set()
        self._poller.stop(max(seconds, 1.0))
        self._sendings.give_up()

    # -- giving records, under the producers' lock ----------------------------------------------------------

    def _give(self, sending: Sent, indexes: Sequence[int]) -> list[tuple[int, End]]:
        """Give records to the producer; tell the ends of those that it does not take.

        Where one is not taken, those behind it in its lane are not given.
        """
        records, producers = sending.records, sending.producer
        if producers.closed:
            return [(index, Unavailable(AWAY)) for index in indexes]
        producers.heed()
        not_given: list[tuple[int, End]] = []
        barred: set[Lane] = set()
        produce, report, narrow = producers.together.produce, self._report, producers.narrow
        for index in indexes:
            record = records[index]
            if barred and record.lane in barred:
                not_given.append((index, Unavailable(AWAY)))
                continue
            try:
                if record.topic in narrow:
                    self._give_alone(sending, index)
                    continue
                told, headers = partial(report, sending, index), list(record.headers)
                produce(record.topic, record.value, record.key, on_delivery=told, headers=headers)  # type: ignore[arg-type]
            except Exception as error:
                end = self._not_given(record, error)
                not_given.append((index, end))
                if isinstance(end, Unavailable):
                    barred.add(record.lane)
        return not_given

    def _give_alone(self, sending: Sent, index: int) -> None:
        record, told = sending.records[index], partial(self._report, sending, index, alone=True)
        sending.producer.one_by_one().produce(
            record.topic, record.value, record.key, on_delivery=told, headers=list(record.headers)
        )

    def _not_given(self, record: Record, error: Exception) -> End:
        if isinstance(error, KafkaException):
            return self._end_of(record, error.args[0])
        logger.error("a record could not be given to Kafka", exc_info=error)
        self._supervision.fault()
        return Unavailable(UNKNOWN)

    def _end_of(self, record: Record, error: KafkaError) -> End:
        """Say what an error means for the record, and draw what follows for its topic or the producer."""
        refusal = clients.refusal(error, record)
        told = {"topic": record.topic, "error": error.name()}
        logger.log(logging.WARNING if refusal else logging.DEBUG, "Kafka did not take a record", extra=told)
        if refusal is not None:
            self._supervision.progress()  # the brokers answered, if with a no
            return refusal
        if clients.is_about_topic(error):
            self._connection.shun(record.topic)
        elif clients.is_fault(error):
            self._supervision.fault()
        return Unavailable(UNKNOWN)

    # -- the poller -----------------------------------------------------------------------------------------

    def _poll(self, seconds: float) -> bool:
        """Serve the reports that are there, or come within the time; say whether any are to come."""
        if (producers := self._connection.producer) is None:
            self._stop.wait(min(seconds, _IDLE_SECONDS))
        else:
            producers.poll(seconds)
            if seconds:
                time.sleep(_PAUSE_SECONDS)  # more reports at once interrupt the other threads less often
                producers.poll(0)
        for done in [old for old in self._old if not (old.poll(0) or len(old))]:
            self._old.remove(done)
        if self._failures:
            self._sort_out()
        if self._reported:
            self._supervision.progress()
            reported, self._reported = self._reported, []
            for sending in reported:
                ends, sending.ends = sending.ends, []
                self._sendings.tell(sending, ends)
        return bool(self._sendings)

    def _report(
        self, sending: Sent, index: int, error: KafkaError | None, message: Any, alone: bool = False
    ) -> None:
        """Note how a record ended; called within the poller's ``poll``."""
        if error is not None:
            self._failures.append((sending, index, error, alone))
            return
        ends = sending.ends
        if not ends:
            self._reported.append(sending)
        ends.append((index, Placement(Outcome.PUBLISHED, message.partition(), message.offset())))

    def _sort_out(self) -> None:
        """Deal with failed records; but first take back what is behind them, lest it go ahead.

        A failed record's lane fails behind it. Everything else that was taken back is given again in its
        order; so is a batch that was too large, each record alone. What is in flight cannot be taken back,
        but after a failure librdkafka sends nothing until it has numbers for a new sequence.
        """
        final = all(alone and clients.is_too_large(error) for _, _, error, alone in self._failures)
        for producers in dict.fromkeys(failure[0].producer for failure in self._failures):
            with producers.lock:
                if not (producers.closed or final):
                    producers.purge(in_flight=False)
                    while producers.poll(_SETTLE_SECONDS):  # what is taken back comes bit by bit
                        pass
                failed = [failure for failure in self._failures if failure[0].producer is producers]
                self._failures = [
                    failure for failure in self._failures if failure[0].producer is not producers
                ]
                ends = self._ends_of(sorted(failed, key=lambda failure: (failure[0].number, failure[1])))
            for sending, some in ends.items():
                self._sendings.tell(sending, some)

    def _ends_of(
        self, failed: Sequence[tuple[Sent, int, KafkaError, bool]]
    ) -> dict[Sent, list[tuple[int, End]]]:
        """Give again what was not at fault, and tell the ends of the others."""
        ends: dict[Sent, list[tuple[int, End]]] = {}
        again: dict[Sent, list[int]] = {}
        barred: set[Lane] = set()
        for sending, index, error, alone in failed:
            record = sending.records[index]
            innocent = clients.is_bystander(error) or (clients.is_too_large(error) and not alone)
            if innocent and record.lane in barred:
                end: End = Unavailable(UNKNOWN)
            elif innocent:
                if clients.is_too_large(error):
                    sending.producer.narrow.add(record.topic)
                again.setdefault(sending, []).append(index)
                continue
            else:
                end = self._end_of(record, error)
            if isinstance(end, Unavailable):
                barred.add(record.lane)
            ends.setdefault(sending, []).append((index, end))
        for sending, indexes in again.items():
            if not_given := self._give(sending, indexes):
                ends.setdefault(sending, []).extend(not_given)
        return ends

    def _replaced(self, producers: Producers) -> None:
        """End what only a producer that is gone could have acknowledged."""
        self._rebuilt()
        self._old.append(producers)
        self._sendings.give_up(producers)
