"""From samples to figures: medians over the rounds, ratios within the run, and which goals are met."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.bodies import BATCH, GROUP, LOADS, MIX, REFUSED, SINGLE
from bench.measure import Sample
from bench.variants import VARIANTS

COMPETENT = "competent"
_CEILINGS = {variant.name: variant.ceiling for variant in VARIANTS}


@dataclass(frozen=True, slots=True)
class Figures(Sample):
    """Medians of the samples of one load on one variant; sums of what they counted.

    ``x_competent`` and ``of_ceiling`` are ratios of the rates (1.0 is level), None where nothing of that name
    was measured. ``share`` is for the other loads: of ``refused`` the CPU of a refusal in those
    of an acceptance, of ``mix`` the rate of the valid ones in what their part of the connections had alone;
    and of ``group`` the CPU of an alert in those of an event of a batch.
    """

    rounds: int = 1
    x_competent: float | None = None
    of_ceiling: float | None = None
    share: float | None = None


def figures(samples: Iterable[Sample]) -> Sequence[Figures]:
    """Give one row a variant and load, in the order in which they are declared."""
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.variant, sample.load].append(sample)
    plain = {place: _medians(group) for place, group in groups.items()}
    names = list(_CEILINGS)
    order = [(v, load.name) for load in LOADS for v in names if (v, load.name) in plain]
    return [_related(plain[place], plain) for place in order]


def _medians(group: Sequence[Sample]) -> Figures:
    def middle(name: str) -> float:
        return float(f"{median(getattr(sample, name) for sample in group):.5g}")

    return Figures(
        variant=group[0].variant,
        load=group[0].load,
        rounds=len(group),
        rate=middle("rate"),
        p50_ms=middle("p50_ms"),
        p99_ms=middle("p99_ms"),
        cpu_us=middle("cpu_us"),
        mib=middle("mib"),
        start_seconds=middle("start_seconds"),
        acknowledged=sum(sample.acknowledged for sample in group),
        unexpected=sum(sample.unexpected for sample in group),
        lost=sum(sample.lost for sample in group),
        broker_cpu_us=middle("broker_cpu_us"),
    )


def _related(row: Figures, rows: Mapping[tuple[str, str], Figures]) -> Figures:
    def beside(variant: str, load: str, name: str = "rate") -> float | None:
        base = rows.get((variant, load))
        return _ratio(getattr(row, name), getattr(base, name)) if base else None

    if row.load == REFUSED.name:
        return replace(row, share=beside(row.variant, SINGLE.name, "cpu_us"))
    if row.load == GROUP.name:
        return replace(row, share=beside(row.variant, BATCH.name, "cpu_us"))
    if row.load == MIX.name:
        alone = beside(row.variant, SINGLE.name)
        return replace(row, share=alone and round(alone * SINGLE.connections / MIX.connections, 4))
    return replace(
        row,
        x_competent=beside(COMPETENT, row.load),
        of_ceiling=beside(_CEILINGS[row.variant], row.load),
    )


def _ratio(value: float, base: float) -> float | None:
    return round(value / base, 4) if base else None
