"""The metrics of several workers as those of one: each writes files of its own, any of them reads all.

The library's files of a worker that ended would stay for ever, and each is read at every scrape: what they
count is added to one file for all that ended. A lock keeps readers from seeing that half done, since a
counter that falls and rises again looks to Prometheus like a new process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # where the library looks
_ENDED = "ended"  # instead of the process's number in the name of a file
_SECONDS = 1.0


def folder() -> Path:
    """Make a folder for the workers of one gateway: a new one, so that nothing of an earlier run is in it.

    Among the temporary files (TMPDIR), not in the data folder: every event is written to it.
    """
    return Path(tempfile.mkdtemp(prefix="gateway-metrics-"))


def write_to(folder: Path | None) -> None:
    """Say where the metrics that are declared from now on in this process live; None is in its memory.

    The library would choose once, when it is imported, and then also for the process that only forks.
    """
    if folder is None:
        values.ValueClass = values.MutexValue
    else:
        os.environ[_VARIABLE] = str(folder)
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


def repeat(work: Callable[[], None]) -> None:
    """Do something once a second for as long as the process lives."""
    stop = threading.Event()

    def run() -> None:
        while True:
            work()
            stop.wait(_SECONDS)

    threading.Thread(target=run, name="gauges", daemon=True).start()


def exposition(folder: Path) -> bytes:
    """Give the text format of all workers together."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    with _lock(folder, fcntl.LOCK_SH):
        return generate_latest(registry)


def ended(folder: Path, pid: int) -> None:
    """Forget the gauges of a worker that ended, and keep what it counted."""
    with _lock(folder, fcntl.LOCK_EX):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        for file in folder.glob(f"*_{pid}.db"):
            kind = file.name.partition("_")[0]
            _add(file, folder / f"{kind}_{_ENDED}.db")
            file.unlink()


def remove(folder: Path) -> None:
    """Remove the folder, once all workers have ended."""
    shutil.rmtree(folder, ignore_errors=True)


def _add(file: Path, total: Path) -> None:
    sums = MmapedDict(str(total))  # type: ignore[no-untyped-call]
    for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
        sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]


@contextmanager
def _lock(folder: Path, kind: int) -> Iterator[None]:
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, kind)
        yield
