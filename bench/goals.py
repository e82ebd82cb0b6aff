"""What is aimed at, as ratios within one run, and how far a run came. A miss is told; it fails nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.bodies import BATCH, GROUP, MIX, REFUSED, SINGLE
from bench.results import COMPETENT, Figures

Rows = Mapping[tuple[str, str], Figures]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of one variant under one load, with the bound that it should keep."""

    variant: str
    load: str
    what: str
    figure: Callable[[Figures, Rows], float | None]
    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether that figure keeps the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True, slots=True)
class Reached:
    """A goal, and what was measured of it."""

    variant: str
    load: str
    what: str
    bound: str
    value: float
    met: bool


def _spread(row: Figures, _: Rows) -> float | None:
    return row.p99_ms / row.p50_ms if row.p50_ms else None


def _less_cpu(row: Figures, rows: Rows) -> float | None:
    competent = rows.get((COMPETENT, row.load))
    return competent.cpu_us / row.cpu_us if competent and row.cpu_us else None


def _beside_publishing(row: Figures, rows: Rows) -> float | None:
    """Beside the same deployment while Kafka is there."""
    publishing = rows.get((row.variant.rpartition("-")[0], row.load))
    return row.rate / publishing.rate if publishing and publishing.rate else None


def _of(name: str) -> Callable[[Figures, Rows], float | None]:
    return lambda row, _: getattr(row, name)


def _goals() -> list[Goal]:
    python, rdk = "asgi-kafka-python", "asgi-librdkafka"
    times, share = "x competent", "of the ceiling"
    goals = [
        Goal(python, SINGLE.name, times, _of("x_competent"), 8),
        Goal(rdk, SINGLE.name, times, _of("x_competent"), 14),
        Goal(python, BATCH.name, times, _of("x_competent"), 13),
        Goal(rdk, BATCH.name, times, _of("x_competent"), 33),
        Goal(rdk, SINGLE.name, share, _of("of_ceiling"), 0.85),
        Goal(rdk, BATCH.name, share, _of("of_ceiling"), 0.4),
        Goal(python, SINGLE.name, "p99 / p50", _spread, 4, at_most=True),
        Goal(rdk, SINGLE.name, "p99 / p50", _spread, 2.5, at_most=True),
        Goal(rdk, SINGLE.name, "CPU of competent / ours", _less_cpu, 20),
    ]
    for variant in (python, rdk):
        goals.append(Goal(variant, REFUSED.name, "CPU refusing / accepting", _of("share"), 3, at_most=True))
        goals.append(Goal(variant, GROUP.name, "CPU alert / event of a batch", _of("share"), 2, at_most=True))
        goals.append(Goal(variant, MIX.name, "valid ones of their part", _of("share"), 1))
    for how in ("spool", "away"):
        goals.append(Goal(f"{rdk}-{how}", SINGLE.name, "of publishing", _beside_publishing, 0.3))
        goals.append(Goal(f"{rdk}-{how}", BATCH.name, "of publishing", _beside_publishing, 0.3))
    return goals


GOALS: Sequence[Goal] = _goals()


def reached(figures: Sequence[Figures]) -> Sequence[Reached]:
    """Give what was measured of each goal; those that need what was not measured are left out."""
    rows = {(row.variant, row.load): row for row in figures}
    found = []
    for goal in GOALS:
        row = rows.get((goal.variant, goal.load))
        value = goal.figure(row, rows) if row else None
        if value is not None:
            bound = f"{'<=' if goal.at_most else '>='} {goal.bound:g}"
            found.append(Reached(goal.variant, goal.load, goal.what, bound, round(value, 3), goal.met(value)))
    return found
