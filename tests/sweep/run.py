"""One fault from the first process to the verdict."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.sweep.faults import Fault
from tests.sweep.finding import find
from tests.sweep.oracle import Verdict, judge
from tests.sweep.stage import Stage, staged


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, with what the fault told and how long it all took."""

    fault: Fault
    verdict: Verdict
    notes: tuple[str, ...]
    seconds: float


def run(
    fault: Fault, folder: Path, seed: int, keep_logs: Path | None = None, client: str = "kafka-python"
) -> Row:
    """Play a fault in an empty folder and judge it. The gateway's logs are kept when something is broken."""
    began = time.monotonic()
    with staged(folder, fault.mix, fault.settings, fault.brokers, f"{seed}-{fault.name}", client) as stage:
        try:
            fault.play(stage)
            stage.settle()
        except AssertionError as error:
            stage.complaints.append(f"broken off: {error}")
        verdict = _judge(fault, stage)
        unexcused = verdict.broken or (verdict.repeated and not fault.rules.repeats)
        if unexcused and keep_logs is not None:
            _keep(stage, keep_logs / fault.name)
    return Row(fault, verdict, tuple(stage.notes), time.monotonic() - began)


def _judge(fault: Fault, stage: Stage) -> Verdict:
    """End the gateway, and hold what is found against what was answered."""
    outcomes = _outcomes(stage)
    code = stage.gateway.stop()
    stage.expect(code == 0, f"exit code 0 at the end, not {code}")
    stage.cluster.start()
    found = find(stage.cluster.bootstrap, stage.spooled(), outcomes)
    verdict = judge(list(stage.load.answers), found, fault.rules)
    return replace(verdict, broken=(*verdict.broken, *stage.complaints))


def _outcomes(stage: Stage) -> Mapping[str, int] | None:
    try:
        return stage.gateway.outcomes()
    except OSError:
        return None


def _keep(stage: Stage, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for log in stage.gateway.logs:
        shutil.copy(log, folder / f"{log.parent.name}.log")
