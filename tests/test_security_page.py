"""The page on security names files and tests that exist, and all profiles and kinds there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import signatures
from gateway.credentials import Kind
from gateway.denials import Reason

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "tests/" in line]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE))))
def test_a_test_that_is_named_exists(named: tuple[str, str]) -> None:
    path, function = named
    text = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {function}(" in text if function else "def test_" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_threat_has_a_defence_a_file_and_a_test(row: list[str]) -> None:
    assert len(row) == 4
    files = re.findall(r"`(gateway/[\w/]+\.py)`", row[2])
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert "`tests/" in row[3]


@pytest.mark.parametrize("name", [*signatures.PROFILES, *(kind.value for kind in Kind)])
def test_every_profile_and_kind_is_there(name: str) -> None:
    assert f"\n| `{name}` | " in PAGE


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_there(reason: Reason) -> None:
    assert f"`{reason.value}`" in PAGE


def test_every_file_that_is_linked_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert linked
    assert [name for name in linked if not (ROOT / "docs" / name).exists()] == []
