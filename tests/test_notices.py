"""What senders ask of an operator is kept for ``gateway confirmations``, whatever becomes of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import notices
from gateway.notices import FILE, Notices, read
from gateway.sources.source import Control
from tests.examples import examples
from tests.terminal import Run

MESSAGE = examples("valid")[0].message()


def asked(told: str) -> Control:
    return Control("cloudwatch", "subscription", told, asks=True)


def keep(folder: Path, *told: str) -> None:
    kept = Notices(folder)
    for text in told:
        kept.keep(MESSAGE, asked(text))
    kept._writer.shutdown()


def test_the_last_are_kept_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_MOST", 3)
    keep(tmp_path, "a", "b", "c")
    keep(tmp_path, "d")
    assert [notice["told"] for notice in read(tmp_path)] == ["b", "c", "d"]
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "notices.lock"}


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"{", b"7", b"[]", b'{"received": "x"}'])
def test_a_damaged_file_costs_what_is_damaged_and_no_more(tmp_path: Path, run: Run, damage: bytes) -> None:
    keep(tmp_path / ".data", "before")
    with (tmp_path / ".data" / FILE).open("ab") as file:
        file.write(damage + b"\n")
    keep(tmp_path / ".data", "after")
    shown = run("confirmations")
    assert shown.exit_code == 0
    assert [line.rpartition(" ")[2] for line in shown.stdout.splitlines()] == ["before", "after"]


def test_a_folder_that_cannot_be_written_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    keep(tmp_path / "file", "lost")
    assert "a notice is in the log only" in caplog.text
