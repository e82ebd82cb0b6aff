"""The sweep's short form: a handful of faults under load, judged like the long one (``make sweep``)."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker import Broker

from tests.sweep.faults import SHORT, Fault
from tests.sweep.report import MOST_REPEATED
from tests.sweep.run import run

pytestmark = pytest.mark.kafka

SEED = 4


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_nothing_is_lost(kafka: Broker, tmp_path: Path, fault: Fault) -> None:
    """``kafka`` is not touched; it has fetched the jars, or said why there are none."""
    verdict = run(fault, tmp_path, SEED).verdict
    assert verdict.broken == ()
    assert verdict.taken > 0
    # A broker that stops may have written what it did not acknowledge any more: a copy, now and then.
    assert fault.rules.repeats or verdict.repeated < MOST_REPEATED * verdict.taken
