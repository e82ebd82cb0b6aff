"""How many gateways, brokers and partitions a rate of events needs, from what one event was measured to cost.

python -m tests.scale prints the table of docs/scale.md, from the costs in docs/bench.json (`make bench`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COSTS = Path(__file__).parent.parent / "docs" / "bench.json"
RATES = (1_000, 100_000, 1_000_000)

# What is assumed, not measured.
BUSY = (
    0.6  # of a core, or of the highest rate that was measured: room for a burst and for a node that is gone
)
REPLICAS = 3
RECORD_BYTES = 1_200  # of the bench's event once it is an envelope, headers and all
BROKER_CORES = 8
BROKER_BUSY = 0.4
BROKER_BYTES = 150_000_000  # a second, in, copies among them: what disk and network of a broker should carry
CONSUMER_EVENTS = 5_000  # a second, of the one consumer that reads a partition
OUTAGE_SECONDS = 3_600
LEAST_GATEWAYS, LEAST_PARTITIONS = 2, 6


@dataclass(frozen=True)
class Plan:
    """What a rate needs. ``spool_bytes`` is of one gateway, for an hour without Kafka."""

    rate: int
    client: str
    form: str
    gateways: int
    brokers: int
    partitions: int
    spool_bytes: int


def plans(costs: dict[str, Any]) -> Iterator[Plan]:
    """Give a plan for every rate, client and form of sending."""
    for rate in RATES:
        for client, forms in costs["gateway"].items():
            for form, cost in forms.items():
                yield plan(rate, client, form, cost, costs)


def plan(rate: int, client: str, form: str, cost: dict[str, Any], costs: dict[str, Any]) -> Plan:
    """Give what one rate needs: a gateway is one worker on one core."""
    by_cpu = rate * cost["cpu_us"] / 1e6 / BUSY
    by_rate = rate / (cost["events_per_second"] * BUSY)
    gateways = max(LEAST_GATEWAYS, math.ceil(max(by_cpu, by_rate)))
    copies = rate * REPLICAS
    by_cores = copies * costs["broker_cpu_us"][form] / 1e6 / (BROKER_CORES * BROKER_BUSY)
    by_bytes = copies * RECORD_BYTES / BROKER_BYTES
    brokers = max(REPLICAS, math.ceil(max(by_cores, by_bytes)))
    partitions = max(LEAST_PARTITIONS, math.ceil(rate / CONSUMER_EVENTS / BUSY))
    partitions = math.ceil(partitions / brokers) * brokers  # as many on each
    spool = rate / gateways * RECORD_BYTES * OUTAGE_SECONDS
    return Plan(rate, client, form, gateways, brokers, partitions, round(spool))


def table(costs: dict[str, Any]) -> str:
    """Give the table, as it stands in the page."""
    lines = [
        "| events/s | client | sent | gateways | brokers | partitions | spool for an hour, each |",
        "|---|---|---|---|---|---|---|",
    ]
    for p in plans(costs):
        spool = f"{p.spool_bytes / 1e9:.1f} GB"
        sent = {"single": "one a request", "batch": "100 a request"}[p.form]
        lines.append(
            f"| {p.rate:,} | `{p.client}` | {sent} | {p.gateways} | {p.brokers} | {p.partitions} | {spool} |"
        )
    return "\n".join(lines)


def costs() -> dict[str, Any]:
    """Give what was measured."""
    return dict(json.loads(COSTS.read_text(encoding="utf-8"))["costs"])


if __name__ == "__main__":
    print(table(costs()))
