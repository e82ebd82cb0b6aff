"""``python -m bench run``, ``growth`` or ``pages``; the variables are told in docs/performance.md.

Exit code 1 when something that was acknowledged is not on Kafka, 2 when nothing can be measured here.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from broker import Broker, why_unavailable

from bench import growth_report, load, pages, report, topics
from bench.bodies import LOADS
from bench.goals import reached
from bench.growth import grow
from bench.growth_report import Growth
from bench.measure import Bench, Sample, measure
from bench.report import Report
from bench.results import figures
from bench.variants import Variant, available

# A name, and what is taken when the environment does not name another.
DEFAULTS: Mapping[str, str] = {
    "BENCH_SECONDS": "2",
    "BENCH_ROUNDS": "3",
    "BENCH_MINUTES": "10",
    "BENCH_ONLY": "",
    "BENCH_LOADS": ",".join(known.name for known in LOADS),
    "BENCH_EVENTS": "1000000",
    "BENCH_WRITE": "",
}
_GROWN = ("flask-kafka-python", "asgi-librdkafka")


def main() -> int:
    """Do what the argument says."""
    what = sys.argv[1] if len(sys.argv) == 2 else ""
    if what == "pages":
        pages.show()
        return 0
    if what not in ("run", "growth"):
        print(__doc__, file=sys.stderr)
        return 2
    if reason := load.why_not() or why_unavailable():
        print(reason, file=sys.stderr)
        return 2
    # Ended by SIGTERM, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with _broker() as broker:
        bench = Bench(broker, float(_variable("BENCH_SECONDS")))
        return _run(bench) if what == "run" else _growth(bench)


def _run(bench: Bench) -> int:
    variants, left_out = available(_listed("BENCH_ONLY"))
    for name, reason in left_out.items():
        print(f"left out: {name}, {reason}", flush=True)
    rounds = int(_variable("BENCH_ROUNDS"))
    failures: list[str] = []
    samples = list(_rounds(variants, bench, rounds, failures))
    rows = figures(samples)
    done = max((row.rounds for row in rows), default=0)
    run = Report(report.now(), report.machine(), bench.seconds, done, rows, reached(rows), left_out)
    print(f"\n{report.tables(run)}\n\n{report.goals_table(run)}\n\n{report.stamp(run)}")
    acknowledged, lost = sum(row.acknowledged for row in rows), sum(row.lost for row in rows)
    print(f"\n{acknowledged:,} events acknowledged while measured, {lost} of them not on Kafka")
    for failure in failures:
        print(f"failed: {failure}")
    if _variable("BENCH_WRITE"):
        pages.write_bench(run)
    return 1 if lost or failures else 0


def _rounds(variants: Sequence[Variant], bench: Bench, rounds: int, failures: list[str]) -> Iterator[Sample]:
    """Every variant once a round, so that a noisy minute meets all alike; one round at least."""
    deadline = time.monotonic() + float(_variable("BENCH_MINUTES")) * 60
    chosen = _listed("BENCH_LOADS")
    for number in range(1, rounds + 1):
        for variant in variants:
            if number > 1 and time.monotonic() > deadline:
                print("time is up; the medians are of the rounds so far", flush=True)
                return
            loads = [known for known in variant.loads if known.name in chosen]
            try:
                for sample in measure(variant, loads, bench):
                    print(f"round {number}  {_line(sample)}", flush=True)
                    yield sample
            except RuntimeError as error:
                failures.append(f"{variant.name}: {error}")
                print(f"failed: {failures[-1]}", flush=True)


def _line(sample: Sample) -> str:
    return (
        f"{sample.variant:26} {sample.load:8} {sample.rate:9,.0f} events/s {sample.cpu_us:8,.0f} µs "
        f" lost {sample.lost}  other answers {sample.unexpected}"
    )


def _growth(bench: Bench) -> int:
    variants, _ = available(_listed("BENCH_ONLY") or _GROWN)
    grown = {}
    for variant in variants:
        if variant.is_gateway:
            print(f"growth of {variant.name}", flush=True)
            minutes = float(_variable("BENCH_MINUTES")) / 4
            grown[variant.name] = grow(variant, bench, int(_variable("BENCH_EVENTS")), minutes * 60)
    found = Growth(
        report.now(),
        report.machine(),
        batches={name: one.batches for name, one in grown.items()},
        connections={name: one.connections for name, one in grown.items()},
        memory={name: one.memory for name, one in grown.items()},
        idle={name: one.idle for name, one in grown.items()},
        loaded={name: one.loaded for name, one in grown.items()},
        start_seconds={name: round(one.start_seconds, 3) for name, one in grown.items()},
    )
    print(f"\n{growth_report.text(found)}")
    if _variable("BENCH_WRITE"):
        pages.write_growth(found)
    return 0


@contextmanager
def _broker() -> Iterator[Broker]:
    """A real Apache Kafka of its own, beside any that runs, with the topics that the gateway declares."""
    with tempfile.TemporaryDirectory(prefix="bench-kafka-") as folder:
        broker = Broker.on_free_ports(Path(folder), topics.PROPERTIES)
        try:
            broker.start()
            topics.create(broker)
            yield broker
        finally:
            broker.stop()


def _variable(name: str) -> str:
    return os.environ.get(name) or DEFAULTS[name]


def _listed(name: str) -> Sequence[str]:
    return [part.strip() for part in _variable(name).split(",") if part.strip()]


if __name__ == "__main__":
    sys.exit(main())
