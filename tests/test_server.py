"""What a worker process does, once, before it serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_LOADED = """
import gc
from gateway import settings
from gateway.server import Server
from gateway.starting import Checked

Server(settings.load({"GATEWAY_DATA_DIR": "."}), Checked()).load()
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_what_stays_for_ever_is_not_searched_for_garbage(tmp_path: Path) -> None:
    """In a process of its own, since all that is there at the time is left out."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120
    )
    left_out, searched = map(int, done.stdout.split())
    assert left_out > 10_000
    assert searched < left_out / 10
