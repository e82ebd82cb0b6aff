"""What senders ask of an operator, kept for ``gateway confirmations``: the last of them, in a file.

Written by a thread of its own, since a slow disk must not hold up an answer; the log has the same words.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from gateway import timestamps
from gateway.model import Message
from gateway.publishing.file_lock import Lock
from gateway.sources.source import Control

logger = logging.getLogger(__name__)

FILE = "notices.jsonl"
_MEMBERS = {"received", "system", "kind", "told"}
_MOST = 100
_MANY = 8  # waiting to be written; whoever floods us is only in the log


class Notices:
    """The notices of one data folder, of all its workers."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._writer = ThreadPoolExecutor(1, "notices")
        self._waiting = 0

    def keep(self, message: Message, control: Control) -> None:
        """Write one down, soon. Does not raise."""
        if self._waiting < _MANY:
            self._waiting += 1
            about = {"system": control.system, "kind": control.kind, "told": control.told}
            received = timestamps.from_datetime(message.received)
            self._writer.submit(self._write, {"received": received} | about)

    def _write(self, told: Mapping[str, str]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(Lock(self._path.with_suffix(".lock"), wait=True)):  # other workers write too
                lines = [*map(json.dumps, read(self._path.parent)), json.dumps(told)][-_MOST:]
                fresh = self._path.with_suffix(".new")
                fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
                fresh.replace(self._path)
        except OSError as error:
            logger.warning("a notice is in the log only", extra={"error": str(error)})
        finally:
            self._waiting -= 1


def read(folder: Path) -> Sequence[Mapping[str, str]]:
    """Give the notices of a data folder, oldest first; lines that are none are left out."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    return [notice for line in lines if (notice := _notice(line)) is not None]


def _notice(line: str) -> Mapping[str, str] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= _MEMBERS else None
