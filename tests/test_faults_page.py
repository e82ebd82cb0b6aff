"""The page of faults names tests that exist, and scenarios that the sweep has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sweep.faults import SWEEP

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE))))
def test_a_test_that_is_named_exists(named: tuple[str, str]) -> None:
    path, function = named
    text = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {function}(" in text if function else "def test_" in text


@pytest.mark.parametrize("names", sorted(set(re.findall(r"sweep (`\w+`(?:, `\w+`)*)", PAGE))))
def test_a_scenario_that_is_named_is_in_the_sweep(names: str) -> None:
    known = {fault.name for fault in SWEEP}
    assert set(re.findall(r"\w+", names)) <= known
