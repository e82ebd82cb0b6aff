"""The connection to Kafka, over a library that does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway import settings
from gateway.publishing.kafka_connection import KafkaConnection
from gateway.publishing.supervision import Supervision
from tests.publisher_contract import eventually


class OneProducer:
    """A library whose producer is a word, and is closed when it is told."""

    def __init__(self, closing: Callable[[], None]) -> None:
        self._closing = closing

    def connect(self, producer: str | None) -> tuple[str, frozenset[str]]:
        return "producer", frozenset({"t"})

    def learn(self, producer: str, topics: Collection[str]) -> None: ...

    def is_alive(self, producer: str) -> bool:
        return True

    def force_close(self, producer: str) -> None:
        self._closing()

    def disconnect(self) -> None: ...


def connected(waiting: Callable[[], bool], closing: Callable[[], None]) -> KafkaConnection[str]:
    made = KafkaConnection(
        OneProducer(closing), settings.load({}), ["t"], Supervision(), waiting, lambda producer: None
    )
    made.start()
    assert eventually(lambda: made.takes("t"))
    return made


def test_a_producer_is_closed_once_the_end_of_every_record_is_told() -> None:
    """What a producer holds is no measure: what it took back is given to it again."""
    waits = [True, True, True]
    left: list[int] = []
    closing = False
    made = connected(lambda: closing and bool(waits) and waits.pop(), lambda: left.append(len(waits)))
    closing = True
    made.close(60)
    assert left == [0]


def test_a_producer_is_closed_though_no_end_comes() -> None:
    closed: list[str] = []
    made = connected(lambda: True, lambda: closed.append("closed"))
    made.close(0.01)
    assert closed == ["closed"]
