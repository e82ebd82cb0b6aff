"""What a run of ``make bench-growth`` leaves: its JSON, its text and its picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import linear_regression
from typing import Any

from bench import chart


@dataclass(frozen=True, slots=True)
class Point:
    """One load: ``x`` is the size of a batch, or the number of connections; times of an event."""

    x: int
    rate: float
    cpu_us: float
    p99_ms: float
    unexpected: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory (PSS, MiB) after so many events: pairs of both."""

    points: Sequence[tuple[int, float]]

    @property
    def slope(self) -> float | None:
        """MiB a million events over the second half, once everything is warm; None of too few points."""
        late = [point for point in self.points if point[0] >= self.points[-1][0] / 2]
        if len({x for x, _ in late}) < 2:
            return None
        return linear_regression([x / 1e6 for x, _ in late], [y for _, y in late]).slope


@dataclass(frozen=True, slots=True)
class Hold:
    """How long ``GET /livez`` took, in milliseconds, over so many probes."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    probes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """One run; everything by the variant's name."""

    made: str
    machine: Mapping[str, Any]
    batches: Mapping[str, Sequence[Point]]
    connections: Mapping[str, Sequence[Point]]
    memory: Mapping[str, Memory]
    idle: Mapping[str, Hold]
    loaded: Mapping[str, Hold]
    start_seconds: Mapping[str, float]

    def as_json(self) -> str:
        """Give all of it."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def of_json(cls, text: str) -> Growth:
        """Read back what ``as_json`` gave."""
        told = json.loads(text)
        for name in ("batches", "connections"):
            told[name] = {v: [Point(**point) for point in points] for v, points in told[name].items()}
        for name in ("idle", "loaded"):
            told[name] = {v: Hold(**hold) for v, hold in told[name].items()}
        told["memory"] = {
            v: Memory([(events, mib) for events, mib in memory["points"]])
            for v, memory in told["memory"].items()
        }
        return cls(**told)


def text(growth: Growth) -> str:
    """Give the run as Markdown: cost of an event by size and by connections, and what memory did."""
    on = growth.machine
    return "\n\n".join(
        [
            f"{growth.made}, {on['cores']} cores ({on['cpu']}), Python {on['python']}.",
            _by_x("CPU µs/event, events in a batch:", growth.batches),
            _by_x("CPU µs/event, connections:", growth.connections),
            "\n".join(_others(growth)),
        ]
    )


def _by_x(corner: str, series: Mapping[str, Sequence[Point]]) -> str:
    xs = sorted({point.x for points in series.values() for point in points})
    lines = [f"| {corner} | {' | '.join(f'{x:,}' for x in xs)} |", f"|{'---|' * (len(xs) + 1)}"]
    for variant, points in series.items():
        found = {point.x: f"{point.cpu_us:,.0f}" for point in points if point.cpu_us}
        lines.append(f"| `{variant}` | {' | '.join(found.get(x, 'none in time') for x in xs)} |")
    return "\n".join(lines)


def _others(growth: Growth) -> Iterable[str]:
    yield (
        "| | start to ready, s | events while memory was watched | MiB at first, at the end "
        "| MiB a million events, second half | `/livez` alone, p50 / p99 / most ms "
        "| beside batches of 1,000 |"
    )
    yield f"|{'---|' * 7}"
    for variant, memory in growth.memory.items():
        slope = memory.slope
        first, last = memory.points[0], memory.points[-1]
        yield (
            f"| `{variant}` | {growth.start_seconds[variant]:.2f} | {last[0]:,} "
            f"| {first[1]:.1f}, {last[1]:.1f} "
            f"| {'' if slope is None else f'{slope:+.2f}'} | {_held(growth.idle[variant])} "
            f"| {_held(growth.loaded[variant])} |"
        )


def _held(hold: Hold) -> str:
    return f"{hold.p50_ms:.1f} / {hold.p99_ms:.1f} / {hold.max_ms:.1f}"


def picture(growth: Growth) -> str:
    """Give cost by size and by connections, and memory over the events."""
    panels = [
        chart.Panel("CPU µs per event, by events in a batch", _lines(growth.batches)),
        chart.Panel("CPU µs per event, by connections", _lines(growth.connections)),
        chart.Panel(
            "Memory in MiB, by events acknowledged",
            [(v, [(x, y) for x, y in memory.points if x and y]) for v, memory in growth.memory.items()],
        ),
    ]
    return chart.lines(panels)


def _lines(series: Mapping[str, Sequence[Point]]) -> Sequence[tuple[str, Sequence[tuple[float, float]]]]:
    return [(v, [(p.x, p.cpu_us) for p in points if p.cpu_us]) for v, points in series.items()]
