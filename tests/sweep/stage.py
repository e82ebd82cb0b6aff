"""What a fault is played on: brokers, a gateway and clients, each made for that fault alone."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from broker import Broker, Cluster
from confluent_kafka.admin import AdminClient

from gateway.publishing.spool_file import Row, read_back
from tests.integration.processes import command, until
from tests.integration.senders import limit_topic
from tests.sweep.events import Mix
from tests.sweep.gateway import Gateway
from tests.sweep.load import Load

# Only what the events need, so that a stage is set quickly.
SYSTEMS = "cdevents"
PARTITIONS = {"num.partitions": "3"}
_DRAIN_SECONDS = 90


@dataclass(frozen=True)
class Stage:
    """``complaints`` takes what the fault itself finds wrong, ``notes`` what it has to tell."""

    folder: Path
    cluster: Cluster
    gateway: Gateway
    load: Load
    random: random.Random
    stack: ExitStack
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def broker(self) -> Broker:
        return self.cluster.brokers[0]

    @cached_property
    def admin(self) -> AdminClient:
        # Without the level it would tell of every broker that is away.
        return AdminClient({"bootstrap.servers": self.cluster.bootstrap, "log_level": 0})

    def begin(self) -> None:
        """Start the gateway; return when it has Kafka."""
        self.gateway.start()
        until(self.gateway.drained, 60, "the gateway to have Kafka")

    def create_topics(self) -> None:
        """Make those that are missing."""
        servers = self.cluster.bootstrap
        command(["topics", "--create"], self.folder, kafka_bootstrap_servers=servers, systems=SYSTEMS)

    def delete_topic(self, topic: str) -> None:
        self.admin.delete_topics([topic])[topic].result(30)

    def limit_topic(self, topic: str, max_bytes: int) -> None:
        """Let Kafka refuse larger records."""
        limit_topic(self.broker, topic, max_bytes)

    def leader(self, topic: str) -> Broker:
        """The broker that leads the topic's first partition now."""
        node = self.admin.list_topics(topic, timeout=30).topics[topic].partitions[0].leader
        return self.cluster.brokers[node - 1]

    def spooled(self) -> list[Row]:
        """What lies in the spool; the gateway must not run."""
        return read_back(self.gateway.data) if self.gateway.data.exists() else []

    def post_for(self, seconds: float) -> None:
        """Let the clients post; they must be on."""
        time.sleep(seconds)

    def a_moment(self, shortest: float, longest: float) -> None:
        """Wait for a time that the seed decides."""
        time.sleep(self.random.uniform(shortest, longest))

    def expect(self, happened: bool, what: str) -> None:
        """Complain unless the fault did what it is here for: a fault that did not happen proves nothing."""
        if not happened:
            self.complaints.append(f"expected: {what}")

    def await_recovery(self) -> None:
        """Kafka is there again: note how long it takes until events go to it directly."""
        began = time.monotonic()
        self.load.wait_for(lambda answer: answer.outcome == "published", 60, "an event to be published again")
        self.notes.append(f"published again {time.monotonic() - began:.1f} s after Kafka was back")

    def settle(self) -> None:
        """Kafka and the gateway are there: wait until nothing is left in the spool."""
        self.cluster.start()
        began = time.monotonic()
        until(self.gateway.drained, _DRAIN_SECONDS, f"the spool to drain; {self.gateway.backlog()} left")
        self.notes.append(f"drained within {time.monotonic() - began:.1f} s of the load's end")


@contextmanager
def staged(
    folder: Path, mix: Mix, settings: Mapping[str, str], brokers: int, seed: str, client: str
) -> Iterator[Stage]:
    """Start the brokers and make the topics; the gateway is the fault's to start. All ends with the block."""
    cluster = Cluster.on_free_ports(folder / "kafka", brokers, PARTITIONS)
    gateway = Gateway(
        folder,
        {"kafka_bootstrap_servers": cluster.bootstrap, "systems": SYSTEMS, "kafka_client": client}
        | dict(settings),
    )
    load = Load(lambda: gateway.port, mix)
    with ExitStack() as stack:
        stack.callback(cluster.kill)
        cluster.start()
        stack.callback(gateway.close)
        stage = Stage(folder, cluster, gateway, load, random.Random(seed), stack)
        stage.create_topics()
        yield stage
