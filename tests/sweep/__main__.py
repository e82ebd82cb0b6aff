"""Plays the faults and prints the table; exit code 1 when the promise is broken."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from broker import why_unavailable

from tests.sweep import report
from tests.sweep.faults import SHORT, SWEEP, Fault
from tests.sweep.run import Row, run

KEPT = Path(".sweep")


def main() -> int:
    arguments = _arguments()
    chosen = [fault for fault in arguments.list if not arguments.names or fault.name in arguments.names]
    if reason := why_unavailable():
        print(f"no Apache Kafka: {reason}", file=sys.stderr)
        return 2
    # Ended by SIGTERM, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {arguments.seed}, {arguments.client}\n{report.HEAD}", flush=True)
    rows = list(_played(chosen, arguments.seed, arguments.client))
    whole = report.total(rows)
    print(report.line("total", whole))
    for what in whole.broken:
        print(f"broken: {what}")
    for goal, met in report.goals(rows).items():
        print(f"{'met' if met else 'missed'}: {goal}")
    report.write(KEPT / "report.json", rows, arguments.seed)
    return 1 if whole.broken else 0


def _played(faults: Iterable[Fault], seed: int, client: str) -> Iterator[Row]:
    for fault in faults:
        if reason := fault.why_not():
            print(f"{fault.name:3}{fault.title}: left out, {reason}", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            row = run(fault.with_client(client), Path(folder), seed, KEPT, client)
        print(report.row_line(row), flush=True)
        yield row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Faults under load, and the proof that nothing is lost.")
    parser.add_argument("names", nargs="*", help="only these faults, by their names in the table")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to repeat a run")
    parser.add_argument("--client", default="kafka-python", help="the gateway's Kafka client")
    parser.add_argument("--short", dest="list", action="store_const", const=SHORT, default=SWEEP)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
