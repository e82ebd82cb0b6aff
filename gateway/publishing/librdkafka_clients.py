"""How librdkafka's producers are made and configured."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from gateway.errors import Refusal
from gateway.model import Record
from gateway.publishing import refusals
from gateway.settings import Settings

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 3.0
_WIDE = 1_048_576  # a topic that takes this takes every batch
# A new producer asks for its id before it is connected, and again half a second later: nobody can see when it
# has one, and until then it sends nothing.
_ID_SECONDS = 0.6
_TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
_REFUSED = (
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.POLICY_VIOLATION,
)
_NO_TOPIC = (KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART)
_ABOUT_TOPIC = (*_NO_TOPIC, KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.TOPIC_EXCEPTION)
_ALONE = {
    "batch.num.messages": 1,
    "linger.ms": 0,
    "enable.idempotence": False,
    "max.in.flight.requests.per.connection": 1,
}
_NOT_ANSWERED = (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT)
_BYSTANDER = (KafkaError._PURGE_QUEUE, KafkaError._INVALID_DIFFERENT_RECORD)


def connection(settings: Settings) -> dict[str, Any]:
    """Give the options of the connection; the user's security settings among them."""
    files = {
        "ssl.ca.location": settings.kafka_ssl_ca_file,
        "ssl.certificate.location": settings.kafka_ssl_certificate_file,
        "ssl.key.location": settings.kafka_ssl_key_file,
    }
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.kafka_bootstrap_servers),
        "client.id": "cloudevents-gateway",
        "security.protocol": settings.kafka_security_protocol,
        "reconnect.backoff.max.ms": 1_000,
        "log_level": 0,  # to stderr, past our log; the connection says what is the matter
    }
    if settings.kafka_sasl_mechanism is not None:
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.sasl_password(),
        }
    return options | {name: str(path) for name, path in files.items() if path is not None}


def options_of_producer(settings: Settings) -> dict[str, Any]:
    """Give the producer's options.

    Idempotent, so that what it sends again after a lost answer is written once, in order, with several
    batches in flight. Its partitioner is the Java client's, as kafka-python's is. Its own times are long for
    the reason that ``kafka_clients`` gives, and its own bounds are lifted: the gateway keeps count.
    """
    minute, keeps = 60_000, settings.ack != "broker"
    return connection(settings) | {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "allow.auto.create.topics": False,
        "linger.ms": 1,
        "message.timeout.ms": 24 * 60 * minute if keeps else 15_000,
        "request.timeout.ms": 2 * minute if keeps else 10_000,
        "socket.timeout.ms": 3 * minute if keeps else 12_000,
        "message.max.bytes": settings.max_record_bytes + 65_536,
        "queue.buffering.max.messages": 0,
        "queue.buffering.max.kbytes": 2_147_483_647,
    }


class Producers:
    """A producer that sends records together and, once it is needed, one that sends each alone.

    A broker refuses a whole batch as too large, and librdkafka does not take it apart. Alone, a record that
    is refused is the one that is meant. The second is not idempotent, since it would be half a second until
    it had an id: what it sends again after a lost answer may be written twice, as kafka-python's.
    """

    def __init__(self, settings: Settings) -> None:
        self._options = options_of_producer(settings)
        self.lock = threading.Lock()  # for the order of what is given
        self.closed = False  # takes nothing more
        self.broken = False
        self.narrow: set[str] = set()  # topics that refuse a batch as too large
        self.found_narrow: set[str] = set()  # those that are to be, once nothing can be overtaken
        self.together = self._made()
        self.alone: Producer | None = None

    def one_by_one(self) -> Producer:
        """Give the one that sends each record alone."""
        if self.alone is None:
            self.alone = self._made(_ALONE)
        return self.alone

    def heed(self) -> None:
        """Send to topics that were found to be narrow record by record, once nothing is sent together: that
        would be overtaken. Called with the lock.
        """
        if self.found_narrow and not len(self.together):
            found, self.found_narrow = self.found_narrow, set()
            self.narrow |= found

    def poll(self, seconds: float) -> int:
        """Serve delivery reports, and count them; wait that long for the first."""
        if self.alone is None:
            return self.together.poll(seconds)
        if served := self.alone.poll(0) + self.together.poll(0):
            return served
        return (self.alone if len(self.alone) else self.together).poll(min(seconds, 0.002))

    def __len__(self) -> int:
        """Count the records that have no report yet."""
        return len(self.together) + (len(self.alone) if self.alone else 0)

    def purge(self, *, in_flight: bool) -> None:
        """End what was not sent, or all that is not acknowledged."""
        for producer in filter(None, (self.together, self.alone)):
            producer.purge(in_queue=True, in_flight=in_flight)

    def _made(self, changes: dict[str, Any] | None = None) -> Producer:
        return Producer(self._options | {"error_cb": self._heard} | (changes or {}))

    def _heard(self, error: KafkaError) -> None:
        if error.fatal():
            logger.error("the Kafka producer is broken", extra={"error": error.name()})
            self.broken = True


class Library:
    """librdkafka, as the connection uses it.

    Its producer itself asks for the topics: so it learns in time of one that is back.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spare: Producers | None = None  # made, but never connected yet
        self._unasked: set[str] = set()  # topics whose limit is not known

    def connect(self, producers: Producers | None) -> tuple[Producers, frozenset[str]]:
        """Ask the brokers for their topics. Raises KafkaException."""
        if producers is None:
            producers = self._spare = self._spare or Producers(self._settings)
            # Its errors, such as wrong credentials, are told where it is polled, and by nothing else.
            producers.poll(0)
        topics = frozenset(producers.together.list_topics(timeout=_PROBE_SECONDS).topics)
        if self._spare is not None:
            time.sleep(_ID_SECONDS)
            self._spare = None
        elif self._unasked:
            self._ask(producers)
        return producers, topics

    def learn(self, producers: Producers, topics: Collection[str]) -> None:
        """Ask which topics take less than a batch, as far as we may know."""
        self._unasked.update(topics)
        self._ask(producers)

    def _ask(self, producers: Producers) -> None:
        """Ask for what is not known yet; a broker that is too slow to tell is asked again."""
        asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in self._unasked]
        admin = AdminClient(connection(self._settings))
        for resource, answer in admin.describe_configs(asked, request_timeout=_PROBE_SECONDS).items():
            try:
                limit = answer.result(2 * _PROBE_SECONDS)["max.message.bytes"].value
                if int(limit) < _WIDE:
                    producers.found_narrow.add(resource.name)
            except Exception as error:
                logger.debug("the limit of a topic is not known", extra={"error": str(error)})
                if _is_unanswered(error):
                    return
            self._unasked.discard(resource.name)

    def is_alive(self, producers: Producers) -> bool:
        """Say whether no fatal error was met."""
        return not producers.broken

    def force_close(self, producers: Producers) -> None:
        """End all that is pending as failed; whoever polls is told."""
        with producers.lock:
            producers.closed = True
            producers.purge(in_flight=True)

    def disconnect(self) -> None:
        """Nothing: the producer connects again by itself."""


def _is_unanswered(error: Exception) -> bool:
    """Tell that nobody said no."""
    if isinstance(error, KafkaException):
        return error.args[0].code() in _NOT_ANSWERED
    return isinstance(error, TimeoutError)


def refusal(error: KafkaError, record: Record) -> Refusal | None:
    """Give the refusal that the error means; None when Kafka may still take the record, or has taken it."""
    if is_too_large(error):
        return refusals.too_large(record)
    return refusals.refused(error.name()) if error.code() in _REFUSED else None


def is_too_large(error: KafkaError) -> bool:
    """Tell an error that may be another record's of the same batch."""
    return error.code() in _TOO_LARGE


def is_bystander(error: KafkaError) -> bool:
    """Tell an error of a record that was not written, through no fault of its own."""
    return error.code() in _BYSTANDER


def is_about_topic(error: KafkaError) -> bool:
    """Tell an error that every record of the topic would meet."""
    return error.code() in _ABOUT_TOPIC


def is_fault(error: KafkaError) -> bool:
    """Tell an error after which the producer is of no use."""
    return bool(error.fatal()) or error.code() == KafkaError._FATAL
