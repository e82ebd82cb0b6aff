"""The state of the connection to Kafka: whether the brokers answer, which topics they have, the producer.

One thread, the *watcher*, connects, from then on asks the brokers every few seconds, and replaces a producer
that is stuck.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

from gateway.model import Health
from gateway.publishing import kafka_reach
from gateway.publishing.supervision import Supervision
from gateway.settings import Settings

logger = logging.getLogger(__name__)

AWAY = "Kafka is away"
_PROBE_SECONDS = 2.0
_RETRY_SECONDS = 1.0
_SHUNNED_SECONDS = 30.0
_TICK_SECONDS = 0.005

Producer = TypeVar("Producer")


class Library(Protocol[Producer]):
    """What the connection needs of a client library."""

    def connect(self, producer: Producer | None) -> tuple[Producer, frozenset[str]]:
        """Ask the brokers for their topics; make a producer if there is none. Raises anything."""

    def learn(self, producer: Producer, topics: Collection[str]) -> None:
        """Let the producer know of topics, so that no later send waits for that."""

    def is_alive(self, producer: Producer) -> bool:
        """Say whether the producer can still work."""

    def force_close(self, producer: Producer) -> None:
        """Close a producer without waiting for what is pending."""

    def disconnect(self) -> None:
        """Let go of what ``connect`` made beside the producer, whatever that throws."""


class KafkaConnection(Generic[Producer]):
    """Knows, without I/O, what was last found out about the brokers."""

    def __init__(
        self,
        library: Library[Producer],
        settings: Settings,
        topics: Sequence[str],
        supervision: Supervision,
        waiting: Callable[[], bool],
        replaced: Callable[[Producer], None],
    ) -> None:
        """``waiting`` says whether records wait for the brokers; ``replaced`` is told of a producer that was
        closed by force, whose records nobody will acknowledge any more.
        """
        self._library = library
        self._settings = settings
        self._declared = frozenset(topics)
        self._supervision = supervision
        self._waiting = waiting
        self._replaced = replaced
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kafka-watcher", daemon=True)
        self._topics: frozenset[str] | None = None  # None while the brokers are away
        self._lock = threading.Lock()  # for changes of it that depend on what it was
        self._shunned: dict[str, float] = {}  # topics that refused us -> until when they are left alone
        self._told: Any = None
        self.producer: Producer | None = None

    def start(self) -> None:
        """Connect in the background, however long it takes."""
        self._thread.start()

    @property
    def available(self) -> bool:
        """Whether the brokers answered when last asked."""
        return self._topics is not None

    def takes(self, topic: str) -> bool:
        """Whether the brokers have that topic, and let us write to it as far as is known."""
        topics = self._topics
        return topics is not None and topic in topics and self._shunned.get(topic, 0) <= time.monotonic()

    def forget(self, topic: str) -> None:
        """A topic is gone: until the next probe, no event must wait for it."""
        with self._lock:
            if self._topics is not None:
                self._topics -= {topic}

    def shun(self, topic: str) -> None:
        """A topic may not be written by us: leave it alone for a while."""
        self._shunned[topic] = time.monotonic() + _SHUNNED_SECONDS

    def healthy(self) -> Health:
        """Ready while the brokers answer and at least one topic is there; the missing ones are named."""
        if self._topics is None:
            return Health(False, AWAY)
        missing = tuple(sorted(topic for topic in self._declared if not self.takes(topic)))
        if missing:
            return Health(len(missing) < len(self._declared), "topics are missing on Kafka", missing)
        return Health(True, "Kafka")

    def close(self, seconds: float) -> None:
        """Let the producer finish within the time, then close it by force."""
        self._stop.set()
        if self.producer is not None:
            self._await_ends(seconds)
            self._library.force_close(self.producer)
        if self._thread.is_alive():
            self._thread.join(timeout=max(seconds, 1.0))
        self._library.disconnect()

    def _await_ends(self, seconds: float) -> None:
        """Wait until every end is told: a producer that holds nothing may yet be given something again."""
        end = time.monotonic() + seconds
        while self._waiting() and time.monotonic() < end:
            time.sleep(_TICK_SECONDS)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._probe()
                self._supervise()
            except Exception as error:  # whatever the library throws, this thread must live on
                self._lost(error)
                self._stop.wait(_RETRY_SECONDS)
            else:
                self._stop.wait(_PROBE_SECONDS)

    def _probe(self) -> None:
        """Connect if need be, then ask which of the declared topics there are."""
        self.producer, found = self._library.connect(self.producer)
        topics = self._declared & found
        if fresh := topics - (self._topics or frozenset()):
            self._library.learn(self.producer, fresh)
        self._set_topics(topics)
        if missing := sorted(self._declared - topics):
            message = "topics are missing on Kafka; run: gateway topics --create"
            self._tell(logging.ERROR, missing, message, missing=missing)
        else:
            self._tell(logging.INFO, "connected to Kafka", topics=len(topics))

    def _supervise(self) -> None:
        """Replace a producer that is stuck; its records end as failed, and whoever sent them sends again."""
        if (stuck := self.producer) is None:
            return
        alive, waiting = self._library.is_alive(stuck), self._waiting()
        if not self._supervision.stuck(answering=True, waiting=waiting, alive=alive):
            return
        if self._stop.is_set():  # it is we who closed it
            return
        logger.error("the Kafka producer is stuck and is replaced", extra={"alive": alive})
        self.producer = None
        self._library.force_close(stuck)
        self._supervision.replaced()
        self._replaced(stuck)
        self._set_topics(None)  # so that the next probe builds a producer and asks for all topics
        self._probe()

    def _lost(self, error: Exception) -> None:
        self._set_topics(None)
        self._supervision.stuck(answering=False, waiting=False, alive=True)
        self._library.disconnect()
        if self._told != AWAY:
            reached = kafka_reach.why_unreachable(self._settings)
            self._tell(logging.ERROR, AWAY, error=f"{type(error).__name__}: {error}", reached=reached)

    def _set_topics(self, topics: frozenset[str] | None) -> None:
        with self._lock:
            self._topics = topics

    def _tell(self, level: int, state: Any, message: str = "", **extra: Any) -> None:
        """Log a state once, when it begins."""
        if state != self._told:
            self._told = state
            logger.log(level, message or state, extra=extra)
