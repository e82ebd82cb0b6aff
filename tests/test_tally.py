"""What is counted for every request comes to what the library itself would count."""

from __future__ import annotations

import math
import threading

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.tally import Tally

DURATIONS = [0.0, 0.1, 0.100001, 0.2, 5.0, math.inf, 0.05, 0.1]


def made() -> tuple[CollectorRegistry, Counter, Histogram]:
    registry = CollectorRegistry()
    counter = Counter("events", "Events", ("system",), registry=registry).labels("tracker")
    histogram = Histogram("seconds", "Seconds", ("status",), buckets=(0.1, 0.2, 1), registry=registry)
    return registry, counter, histogram.labels("202")


def written(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_it_comes_to_what_the_library_would_count() -> None:
    ours, counter, histogram = made()
    theirs, their_counter, their_histogram = made()
    tally = Tally()
    for duration in DURATIONS:
        tally.note(counter, 2)
        tally.note(histogram, duration)
        their_counter.inc(2)
        their_histogram.observe(duration)
    tally.add_up()
    tally.add_up()  # nothing is told twice
    assert written(ours) == written(theirs)
    assert 'events_total{system="tracker"} 16.0' in written(ours)


def test_it_is_added_up_by_whoever_notes_when_nobody_asks() -> None:
    _, counter, _ = made()
    tally = Tally()
    for _ in range(10_000):
        tally.note(counter, 1)
    assert counter._value.get() > 9_000


def test_nothing_is_lost_or_told_twice_among_threads() -> None:
    _, counter, _ = made()
    tally = Tally()

    def work() -> None:
        for _ in range(5_000):
            tally.note(counter, 1)

    def ask() -> None:
        for _ in range(200):
            tally.add_up()

    threads = [threading.Thread(target=target) for target in (work, work, work, work, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.add_up()
    assert counter._value.get() == 20_000
