"""A lock between processes, that ends with its process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """A file that one process holds at a time; let go by close, or by the end of the process."""

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        """Raises BlockingIOError when another process, or another lock of this one, holds it; or waits."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        """Let go. The file stays: to remove it would let two processes hold what they think is one lock."""
        os.close(self._descriptor)
