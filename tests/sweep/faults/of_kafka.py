"""Kafka goes away, hangs, moves, refuses a record, lacks a topic."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from broker import Broker

from tests.integration.processes import until
from tests.sweep.events import DEAD_LETTERS, NOISE, TOPICS, Mix
from tests.sweep.faults.fault import BROKER_KILLED, SOON, Fault, published, spooled
from tests.sweep.stage import Stage

DETECTED, RESOLVED = TOPICS.values()
_SOME_LARGE = Mix(large_every=30, huge_every=80)


@dataclass(frozen=True, kw_only=True)
class BrokerAway(Fault):
    """The broker is stopped, or killed, and started again."""

    killed: bool = False
    seconds: float = 8.0

    def play(self, stage: Stage) -> None:
        stage.begin()
        with stage.load.on():
            stage.post_for(self.calm)
            (Broker.kill if self.killed else Broker.stop)(stage.broker)
            stage.post_for(self.seconds)
            stage.expect(any(map(spooled, stage.load.answers)), "events are spooled while Kafka is away")
            stage.broker.start()
            stage.await_recovery()
            stage.post_for(self.calm)


@dataclass(frozen=True, kw_only=True)
class BrokerHung(Fault):
    """The broker's process stands still for a while."""

    seconds: float = 6.0

    def play(self, stage: Stage) -> None:
        stage.begin()
        with stage.load.on():
            stage.post_for(self.calm)
            with hung(stage.broker):
                stage.post_for(self.seconds)
            stage.expect(any(map(spooled, stage.load.answers)), "events are spooled while Kafka is hung")
            stage.await_recovery()
            stage.post_for(self.calm)


@dataclass(frozen=True, kw_only=True)
class LeaderMoves(Fault):
    """One of three brokers, the leader of a partition, goes; another takes its place; it comes back.

    What was written and not acknowledged by then is written again, unless the producer is idempotent.
    """

    brokers: int = 3
    killed: bool = False
    seconds: float = 5.0

    def with_client(self, client: str) -> Fault:
        return self if client == "librdkafka" else replace(self, rules=BROKER_KILLED)

    def play(self, stage: Stage) -> None:
        stage.begin()
        with stage.load.on():
            stage.post_for(self.calm)
            leader = stage.leader(DETECTED)
            (Broker.kill if self.killed else Broker.stop)(leader)
            until(lambda: stage.leader(DETECTED) != leader, SOON, "another leader")
            stage.load.wait_for(published, SOON, "an event to be published by another leader")
            stage.post_for(self.seconds)
            leader.start()
            stage.post_for(self.calm)


@dataclass(frozen=True, kw_only=True)
class TooLarge(Fault):
    """Some records are too large for their topic, and some of these for the dead letters, too."""

    mix: Mix = _SOME_LARGE
    limit: int = 20_000  # below the noise of a large event
    limit_of_dead_letters: int = 60_000  # below that of a huge one
    seconds: float = 4.0

    def play(self, stage: Stage) -> None:
        for topic in (DETECTED, RESOLVED):
            stage.limit_topic(topic, self.limit)
        stage.limit_topic(DEAD_LETTERS, self.limit_of_dead_letters)
        stage.begin()
        with stage.load.on():
            stage.post_for(self.calm)
            stage.broker.stop()
            stage.post_for(self.seconds)
            stage.broker.start()
            stage.await_recovery()
            stage.post_for(self.calm)
        for kind in NOISE:
            some = [answer for answer in stage.load.answers if answer.event.kind is kind]
            stage.expect(any(answer.status == 413 for answer in some), f"413 to {kind} events")
            stage.expect(any(map(spooled, some)), f"{kind} events are spooled while Kafka is away")


@dataclass(frozen=True, kw_only=True)
class TopicMissing(Fault):
    """One of two topics is not there, and Kafka does not make it; then somebody does."""

    seconds: float = 6.0

    def play(self, stage: Stage) -> None:
        stage.delete_topic(DETECTED)
        stage.begin()
        with stage.load.on():
            stage.post_for(self.seconds)
            answers = list(stage.load.answers)
            kept = any(spooled(answer) for answer in answers if answer.event.topic == DETECTED)
            going = any(published(answer) for answer in answers if answer.event.topic == RESOLVED)
            stage.expect(kept, "events of the missing topic are spooled")
            stage.expect(going, "events of the other topic are published")
            stage.create_topics()
            arrived = "an event of the new topic to be published"
            stage.load.wait_for(lambda a: published(a) and a.event.topic == DETECTED, SOON, arrived)
            stage.post_for(self.calm)


@contextmanager
def hung(broker: Broker) -> Iterator[None]:
    """Let the broker's process stand still."""
    pid = broker.pid
    assert pid is not None, "no broker runs"
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
