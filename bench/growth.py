"""How cost and memory grow: by the size of a batch, by connections, over a million events."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles

from bench import topics
from bench.bodies import BATCH, Load
from bench.growth_report import Hold, Memory, Point
from bench.load import post
from bench.measure import Bench, drained, sample
from bench.server import Server, started
from bench.variants import Variant

SIZES = (1, 10, 100, 1_000, 10_000)
CONNECTIONS = (1, 4, 16, 64, 256)
LARGE = Load("large", "batches of 1,000, 2 connections", 2, events=1_000)
_BATCHES_FROM = 2  # connections
_LONGER = {1_000: 4, 10_000: 10}  # times the seconds of a load, for batches that take that long
_PROBE_PAUSE = 0.002
_LIMITS = {"max_batch_events": str(SIZES[-1]), "max_body_bytes": "16777216"}


@dataclass(frozen=True, slots=True)
class Grown:
    """What was measured of one variant."""

    batches: Sequence[Point]
    connections: Sequence[Point]
    memory: Memory
    idle: Hold
    loaded: Hold
    start_seconds: float


def grow(variant: Variant, bench: Bench, events: int, at_most_seconds: float) -> Grown:
    """Measure one variant in one process; ``events`` is how many go in while memory is watched."""
    variant = replace(variant, settings=dict(variant.settings) | _LIMITS)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        environment = variant.environment(bench.broker.bootstrap, folder)
        with started(variant.command, folder, environment) as server:
            post(server.port, BATCH, bench.warm_seconds or 1, folder, variant.header)
            server.settle()
            # Memory first: what the largest batches leave behind would hide what a million events do.
            memory = _memory(variant, server, bench, folder, events, at_most_seconds)
            sizes = [Load("size", str(n), _BATCHES_FROM, events=n) for n in SIZES]
            connections = [Load("connections", str(n), n) for n in CONNECTIONS]
            grown = Grown(
                batches=[_point(variant, load, load.events, server, bench, folder) for load in sizes],
                connections=[
                    _point(variant, load, load.connections, server, bench, folder) for load in connections
                ],
                memory=memory,
                idle=_hold(server, lambda: time.sleep(bench.seconds)),
                loaded=_hold(server, lambda: post(server.port, LARGE, bench.seconds, folder, variant.header)),
                start_seconds=server.start_seconds,
            )
            drained(server)
        topics.count_and_forget(bench.broker)
    return grown


def _point(variant: Variant, load: Load, x: int, server: Server, bench: Bench, folder: Path) -> Point:
    longer = _LONGER.get(load.events, 1)
    _, found = sample(variant, load, server, replace(bench, seconds=bench.seconds * longer), folder)
    print(
        f"{variant.name:26} {load.name:12} {x:6,} {found.rate:9,.0f} events/s {found.cpu_us:8,.1f} µs",
        flush=True,
    )
    return Point(x, round(found.rate), round(found.cpu_us, 1), round(found.p99_ms, 1), found.unexpected)


def _memory(
    variant: Variant, server: Server, bench: Bench, folder: Path, events: int, at_most_seconds: float
) -> Memory:
    """Post batches of 100 until so many events are acknowledged, or the time is up."""
    points, acknowledged = [(0, round(server.memory_mib(), 2))], 0
    deadline = time.monotonic() + at_most_seconds
    while acknowledged < events and time.monotonic() < deadline:
        heard = post(server.port, BATCH, 2 * bench.seconds, folder, variant.header)
        acknowledged += heard.good * BATCH.events
        points.append((acknowledged, round(server.memory_mib(), 2)))
        print(f"{variant.name:26} after {acknowledged:,} events {points[-1][1]:.1f} MiB", flush=True)
    return Memory(points)


def _hold(server: Server, meanwhile: Callable[[], object]) -> Hold:
    """How long ``GET /livez`` takes meanwhile: it waits for whatever holds the loop, or the interpreter."""
    waits: list[float] = []
    done = threading.Event()
    probe = threading.Thread(target=_probe, args=(server.port, waits, done))
    probe.start()
    try:
        meanwhile()
    finally:
        done.set()
        probe.join()
    steps = quantiles(waits, n=100)
    most = max(waits)  # beyond which the 99th of few probes would be extrapolated
    return Hold(round(steps[49], 2), round(min(steps[98], most), 2), round(most, 2), len(waits))


def _probe(port: int, waits: list[float], done: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not done.wait(_PROBE_PAUSE) or len(waits) < 2:
        began = time.perf_counter()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        waits.append((time.perf_counter() - began) * 1e3)
    connection.close()
