"""The faults, one a row of the table: ``SWEEP`` in full, ``SHORT`` for `make test`."""

from __future__ import annotations

from tests.sweep.faults.fault import BROKER_KILLED, STOPPED_BY_A_HUNG_BROKER, Fault
from tests.sweep.faults.of_kafka import BrokerAway, BrokerHung, LeaderMoves, TooLarge, TopicMissing
from tests.sweep.faults.of_the_disk import FileSizeLimit, SmallDisk, SpoolFull
from tests.sweep.faults.of_the_gateway import DrainKilled, GatewayKilled, GatewayStopped

__all__ = ["SHORT", "SWEEP", "Fault"]

SWEEP: tuple[Fault, ...] = (
    BrokerAway(name="a", title="broker stopped, started"),
    BrokerAway(name="a2", title="broker killed -9, started", killed=True, rules=BROKER_KILLED),
    BrokerHung(name="b", title="broker hung for 6 s (SIGSTOP)"),
    LeaderMoves(name="c", title="leader of 3 brokers stopped"),
    LeaderMoves(name="c2", title="leader of 3 brokers killed -9", killed=True, rules=BROKER_KILLED),
    GatewayKilled(name="d", title="gateway killed -9, 50 times", times=50),
    GatewayKilled(name="d2", title="the same without Kafka, 15 times", times=15, away=True),
    DrainKilled(name="e", title="gateway killed -9 while draining"),
    FileSizeLimit(name="f", title="spool's files full, room first"),
    SmallDisk(name="f2", title="spool's disk full, Kafka first", kafka_first=True),
    SpoolFull(name="f3", title="spool at its own bound"),
    GatewayStopped(name="g", title="SIGTERM in mid-load, 4 times", times=4),
    GatewayStopped(
        name="g2",
        title="the same with a hung broker, 3 times",
        times=3,
        hung=True,
        rules=STOPPED_BY_A_HUNG_BROKER,
    ),
    TooLarge(name="h", title="records too large for their topic"),
    TopicMissing(name="i", title="topic missing, then created"),
)

SHORT: tuple[Fault, ...] = (
    BrokerAway(name="a", title="broker stopped, started", seconds=2, calm=1),
    BrokerHung(name="b", title="broker hung for 3 s", seconds=3, calm=1),
    GatewayKilled(name="d", title="gateway killed -9, 5 times", times=5, calm=1, longest=0.8),
    DrainKilled(name="e", title="gateway killed -9 while draining", rounds=1, kills=1, seconds=1),
)
