"""What a run leaves: the table, the JSON, the picture, and the sections of the pages that show them."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

from bench import chart
from bench.bodies import BATCH, GROUP, LOADS, MIX, REFUSED, SINGLE, Load
from bench.goals import Reached
from bench.results import Figures
from bench.variants import VARIANTS

TITLES = {variant.name: variant.title for variant in VARIANTS}
OURS = {variant.name for variant in VARIANTS if variant.is_gateway}
# The gateway as it comes, by its client.
_PLAIN = {v.name: v.client for v in VARIANTS if v.is_gateway and v.loads == LOADS}
_RATIOS = {
    REFUSED.name: ("CPU, in acceptances",),
    MIX.name: ("of their part",),
    GROUP.name: ("CPU, in events of a batch",),
}
_OF_ACCEPTED = ("x competent", "of the ceiling")
_PACKAGES = ("gunicorn", "uvicorn", "flask", "kafka-python", "confluent-kafka", "jsonschema", "jsonschema-rs")


@dataclass(frozen=True, slots=True)
class Report:
    """One run. ``left_out`` says of variants that were not measured why."""

    made: str
    machine: Mapping[str, Any]
    seconds: float
    rounds: int
    figures: Sequence[Figures]
    goals: Sequence[Reached] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """Give all of it, and what an event costs, to plan with."""
        return json.dumps(asdict(self) | {"costs": costs(self)}, indent=1) + "\n"

    @classmethod
    def of_json(cls, text: str) -> Report:
        """Read back what ``as_json`` gave."""
        told = json.loads(text)
        del told["costs"]
        told["figures"] = [Figures(**row) for row in told["figures"]]
        told["goals"] = [Reached(**goal) for goal in told["goals"]]
        return cls(**told)


def costs(report: Report) -> Mapping[str, Any]:
    """Give CPU time in microseconds and the rate by Kafka client and load, of the best door of each.

    The broker's CPU time is that of the last client listed, which sends in the largest batches.
    """
    broker: dict[str, float] = {}
    gateway: dict[str, dict[str, dict[str, float]]] = {}
    best: dict[tuple[str, str], Figures] = {}
    for row in report.figures:
        client = _PLAIN.get(row.variant)
        if not client or row.load not in (SINGLE.name, BATCH.name):
            continue
        if (client, row.load) not in best or row.rate > best[client, row.load].rate:
            best[client, row.load] = row
    for (client, load), row in best.items():
        gateway.setdefault(client, {})[load] = {"cpu_us": row.cpu_us, "events_per_second": row.rate}
        broker[load] = row.broker_cpu_us
    return {"source": stamp(report), "broker_cpu_us": broker, "gateway": gateway}


def machine() -> Mapping[str, Any]:
    """What this was measured on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    packages = {name: version(name) for name in _PACKAGES}
    return {"cpu": model, "cores": cpu_count(), "python": platform.python_version(), "packages": packages}


def now() -> str:
    """Today, in UTC."""
    return datetime.now(UTC).date().isoformat()


def tables(report: Report, loads: Iterable[Load] = LOADS) -> str:
    """Give one Markdown table a load."""
    blocks = []
    for load in loads:
        rows = [row for row in report.figures if row.load == load.name]
        if rows:
            blocks.append("\n".join([f"**{_capital(load.title)}**", "", *_table(load, rows)]))
    return "\n\n".join(blocks)


def _table(load: Load, rows: Sequence[Figures]) -> Iterable[str]:
    ratios = _RATIOS.get(load.name, _OF_ACCEPTED)
    columns = ("", "events/s", "p50 ms", "p99 ms", "CPU µs/event", "MiB", *ratios, "lost", "other answers")
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        title = f"**{TITLES[row.variant]}**" if row.variant in OURS else TITLES[row.variant]
        cells = (
            title,
            _number(row.rate),
            _number(row.p50_ms),
            _number(row.p99_ms),
            _number(row.cpu_us),
            _number(row.mib),
            *_ratio_cells(row, load),
            str(row.lost),
            str(row.unexpected),
        )
        yield f"| {' | '.join(cells)} |"


def _ratio_cells(row: Figures, load: Load) -> Sequence[str]:
    if load.name in (REFUSED.name, GROUP.name):
        return [_times(row.share)]
    if load.name == MIX.name:
        return [_percent(row.share)]
    return [_times(row.x_competent), _percent(row.of_ceiling)]


def goals_table(report: Report) -> str:
    """Give what was aimed at beside what was reached."""
    lines = ["| variant | load | figure | goal | measured | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{goal.variant}` | {goal.load} | {goal.what} | {goal.bound} | {goal.value:.3g} "
        f"| {'met' if goal.met else 'missed'} |"
        for goal in report.goals
    ]
    return "\n".join(lines) if report.goals else ""


def stamp(report: Report) -> str:
    """Say in one line when, on what and how often this was measured."""
    on = report.machine
    return (
        f"{report.made}, {on['cores']} cores ({on['cpu']}), Python {on['python']}: medians of "
        f"{report.rounds} interleaved rounds of {report.seconds:g} s. Ratios hold within this run only."
    )


def picture(report: Report) -> str:
    """Give the rates of single events and of batches as bars."""
    groups = []
    for load in (SINGLE, BATCH):
        rows = [row for row in report.figures if row.load == load.name]
        group = [
            chart.Bar(
                row.variant,
                row.rate,
                f"{_number(row.rate)}/s, {_number(row.cpu_us)} µs CPU",
                chart.OURS if row.variant in OURS else chart.OTHERS,
            )
            for row in rows
        ]
        groups.append((f"{_capital(load.title)}: events/s", group))
    return chart.bars(groups)


def between(page: str, name: str, content: str) -> str:
    """Put content between the markers of that name. Raises ValueError when the page has none."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, opened, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"the page has no markers {begin.strip()} and {end}")
    return f"{head}{begin}{content}\n{end}{tail}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float) -> str:
    """Three digits of a small number, all of the whole part of a large one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
