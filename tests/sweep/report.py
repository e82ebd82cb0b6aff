"""The table, the totals and the file that says the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.sweep.oracle import Verdict
from tests.sweep.run import Row

ENOUGH = 20_000
MOST_REPEATED = 0.01

_COLUMNS = ("sent", "2xx", "spooled", "lost", "twice", "disorder", "invalid", "503/cut", "worst s")
HEAD = f"{'fault':38}" + "".join(f"{column:>9}" for column in _COLUMNS)


def line(title: str, verdict: Verdict) -> str:
    """One line of the table. Of what was sent, one in twenty is invalid and rejected."""
    numbers = (
        verdict.sent,
        verdict.taken,
        verdict.spooled,
        verdict.lost,
        verdict.repeated,
        verdict.disordered,
        verdict.invalid,
        f"{verdict.refused}/{verdict.cut}",
        f"{verdict.worst:.2f}",
    )
    return f"{title:38}" + "".join(f"{number:>9}" for number in numbers)


def row_line(row: Row) -> str:
    return line(f"{row.fault.name:3}{row.fault.title}", row.verdict)


def total(rows: Sequence[Row]) -> Verdict:
    """All rows as one; the worst answer is the worst of all."""
    verdicts = [row.verdict for row in rows]
    names = [name for name, value in asdict(Verdict()).items() if isinstance(value, int)]
    sums = {name: sum(getattr(verdict, name) for verdict in verdicts) for name in names}
    broken = tuple(f"{row.fault.name}: {what}" for row in rows for what in row.verdict.broken)
    worst = max((verdict.worst for verdict in verdicts), default=0.0)
    return Verdict(**sums, worst=worst, broken=broken)


def goals(rows: Sequence[Row]) -> dict[str, bool]:
    """What is aimed at beyond what must hold."""
    whole = total(rows)
    unexcused = [row for row in rows if row.verdict.repeated and not row.fault.rules.repeats]
    return {
        f"at least {ENOUGH:,} acknowledged": whole.taken >= ENOUGH,
        f"under {MOST_REPEATED:.0%} of them twice": whole.repeated < MOST_REPEATED * max(whole.taken, 1),
        "none twice where nothing was killed": not unexcused,
    }


def write(path: Path, rows: Sequence[Row], seed: int) -> None:
    """Write the numbers as JSON."""
    content = {
        "seed": seed,
        "total": asdict(total(rows)),
        "goals": goals(rows),
        "faults": [
            {"fault": row.fault.name, "title": row.fault.title, "seconds": round(row.seconds, 1)}
            | asdict(row.verdict)
            | {"notes": row.notes}
            for row in rows
        ],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
