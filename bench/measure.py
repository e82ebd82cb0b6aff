"""One variant in one round: started, loaded, settled, ended; and what it acknowledged found on Kafka."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from broker import Broker

from bench import topics
from bench.bodies import BATCH, SINGLE, Load
from bench.load import Heard, post, posting
from bench.server import Server, cpu_seconds, started
from bench.variants import Variant

_WARM_SECONDS = 1
_DRAIN_SECONDS = 120
_WAITING = re.compile(rb"^gateway_spool_records (\S+)$", re.MULTILINE)
_CONNECTED = re.compile(rb"^gateway_kafka_up 1(\.0)?$", re.MULTILINE)
_CONNECT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Sample:
    """One load on one variant in one round.

    ``rate`` is in events a second, ``cpu_us`` the CPU time of the server's processes for each event, ``mib``
    their memory (PSS) at the end, ``broker_cpu_us`` the CPU time of Kafka for each event. ``unexpected``
    counts answers that were not what such a load deserves, and failed sockets. ``lost`` are events that were
    acknowledged, and are neither on Kafka nor in the spool.
    """

    variant: str
    load: str
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    mib: float
    start_seconds: float
    acknowledged: int
    unexpected: int
    lost: int = 0
    broker_cpu_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Where it is measured, and how long each load lasts."""

    broker: Broker
    seconds: float
    warm_seconds: float = _WARM_SECONDS


def measure(variant: Variant, loads: Sequence[Load], bench: Bench) -> Iterator[Sample]:
    """Give a sample of each load. Raises RuntimeError when the server or Kafka fails."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        environment = variant.environment(bench.broker.bootstrap, folder)
        with started(variant.command, folder, environment) as server:
            if variant.is_gateway:
                _connected(server)
            if variant.away:
                bench.broker.stop()
            try:
                _warm_up(variant, loads, server, bench, folder)
                taken = [sample(variant, load, server, bench, folder) for load in loads]
            finally:
                bench.broker.start()  # which does nothing unless it was stopped
            waiting = drained(server) if variant.is_gateway else 0
        counted = topics.count_and_forget(bench.broker)
    for run, found in taken:
        yield replace(found, lost=topics.lost(found.acknowledged, run, counted, waiting))


def _warm_up(variant: Variant, loads: Sequence[Load], server: Server, bench: Bench, folder: Path) -> None:
    """Not with batches that would still be worked on when the load begins."""
    for load in (SINGLE, BATCH):
        if bench.warm_seconds and load in loads and not (load.batched and variant.patience > 1):
            post(server.port, load, bench.warm_seconds, folder, variant.header)
            server.settle()


def sample(variant: Variant, load: Load, server: Server, bench: Bench, folder: Path) -> tuple[str, Sample]:
    """Load it, and give the run of the load generator with the sample."""
    seconds = bench.seconds * (variant.patience if load.batched else 1)
    before, broker_before = server.cpu_seconds(), _broker_seconds(bench)
    heard, flood = _heard(variant, load, server.port, seconds, folder)
    used, broker_used = server.cpu_seconds() - before, _broker_seconds(bench) - broker_before
    mib = server.memory_mib()
    server.settle()
    good = heard.good if load.valid else heard.bad
    events = (good + (flood.bad if flood else 0)) * load.events
    return heard.run, Sample(
        variant.name,
        load.name,
        rate=good * load.events / heard.seconds,
        p50_ms=heard.p50_ms,
        p99_ms=heard.p99_ms,
        cpu_us=used * 1e6 / events if events else 0.0,
        mib=mib,
        start_seconds=server.start_seconds,
        acknowledged=heard.good * load.events,
        unexpected=heard.requests - good + heard.failed + (flood.good + flood.failed if flood else 0),
        broker_cpu_us=broker_used * 1e6 / events if events else 0.0,
    )


def _broker_seconds(bench: Bench) -> float:
    return cpu_seconds(bench.broker.pid) if bench.broker.pid else 0.0


def _heard(
    variant: Variant, load: Load, port: int, seconds: float, folder: Path
) -> tuple[Heard, Heard | None]:
    """What the clients heard, and those beside them that posted invalid events."""
    if not load.flood:
        return post(port, load, seconds, folder, variant.header), None
    flooding = replace(load, connections=load.flood, valid=False)
    with posting(port, flooding, seconds, folder, variant.header) as running:
        heard = post(port, load, seconds, folder, variant.header)
        return heard, running.result()


def _connected(server: Server) -> None:
    """Wait for its Kafka client: a gateway is ready before, and would spool what comes in that moment."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not _CONNECTED.search(server.get("/metrics")[1]):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Kafka is not reached: {server.log.read_text()[-2_000:]}")
        time.sleep(0.05)


def drained(server: Server) -> int:
    """Wait for the spool to be empty; how many records are left in it after the longest wait."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    left = 0
    while time.monotonic() < deadline:
        with suppress(OSError):
            found = _WAITING.search(server.get("/metrics")[1])
            left = int(float(found[1])) if found else 0
            if not left:
                break
        time.sleep(0.2)
    return left
