"""The page of scale says what is computed from the measured costs, and the computation makes sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import scale
from tests.scale import Plan, plans

PAGE = (Path(__file__).parent.parent / "docs" / "scale.md").read_text(encoding="utf-8")
COSTS = scale.costs()
PLANS = list(plans(COSTS))


def test_the_table_is_the_one_that_is_computed() -> None:
    assert f"\n{scale.table(COSTS)}\n" in PAGE, "python -m tests.scale prints it"


def test_where_the_costs_come_from_stands_there_too() -> None:
    assert COSTS["source"]
    assert "`docs/bench.json`" in PAGE


@pytest.mark.parametrize(
    "assumed",
    [
        f"{scale.BUSY:.0%}".replace("%", " %"),
        f"{scale.BROKER_CORES} cores",
        f"{scale.BROKER_BUSY:.0%}".replace("%", " %"),
        f"{scale.BROKER_BYTES // 1_000_000} MB/s",
        f"{scale.CONSUMER_EVENTS:,} events/s",
        f"{scale.REPLICAS} replicas",
    ],
)
def test_every_assumption_is_told(assumed: str) -> None:
    assert assumed in PAGE


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.rate} {plan.client} {plan.form}")
def test_a_plan_is_enough_for_its_rate(plan: Plan) -> None:
    cost = COSTS["gateway"][plan.client][plan.form]
    each = plan.rate / plan.gateways
    assert each * cost["cpu_us"] / 1e6 <= scale.BUSY + 1e-9
    assert each <= cost["events_per_second"] * scale.BUSY + 1e-6
    assert plan.rate / plan.partitions <= scale.CONSUMER_EVENTS * scale.BUSY + 1e-6
    assert plan.brokers >= scale.REPLICAS
    assert plan.partitions % plan.brokers == 0


def test_more_events_never_need_less() -> None:
    for low, high in zip(PLANS, PLANS[4:], strict=False):
        assert (low.client, low.form) == (high.client, high.form)
        assert low.gateways <= high.gateways and low.brokers <= high.brokers
        assert low.partitions <= high.partitions


def test_a_dearer_event_needs_more_gateways() -> None:
    cheap = PLANS[-1]
    cost = COSTS["gateway"][cheap.client][cheap.form]
    dear = scale.plan(cheap.rate, cheap.client, cheap.form, cost | {"cpu_us": 2 * cost["cpu_us"]}, COSTS)
    assert dear.gateways > cheap.gateways
    assert replace(dear, gateways=0, spool_bytes=0) == replace(cheap, gateways=0, spool_bytes=0)
