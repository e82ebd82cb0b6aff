"""The metrics of several workers as those of one: each writes files of its own, any of them reads all.

The library's files of a worker that ended would stay for ever, and each is read at every scrape: what they
count is added to one file for all that ended. A lock keeps readers from seeing that half done, since a
counter that falls and rises again looks to Prometheus like a new process.

The files are mapped into memory, and a process that writes where the disk has no room for it is killed
(SIGBUS): each has its room before it is used.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

logger = logging.getLogger(__name__)

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # where the library looks
_ENDED = "ended"  # instead of the process's number in the name of a file
_SECONDS = 1.0
_ROOM_BYTES = 2**19  # some thousand series
_COUNTING = ("counter", "histogram")
_KINDS = (*_COUNTING, "gauge_livesum", "gauge_livemin", "gauge_livemax")


def folder() -> Path:
    """Make a folder for the workers of one gateway: a new one, so that nothing of an earlier run is in it.

    Among the temporary files (TMPDIR), not in the data folder: every event is written to it. Raises OSError.
    """
    made = Path(tempfile.mkdtemp(prefix="gateway-metrics-"))
    _make_room(made, _COUNTING, _ENDED)
    return made


def write_to(folder: Path | None) -> None:
    """Say where the metrics that are declared from now on in this process live; None is in its memory.

    The library would choose once, when it is imported, and then also for the process that only forks.
    Where there is no room on the disk, this process counts for itself: events matter more.
    """
    values.ValueClass = values.MutexValue
    if folder is not None:
        try:
            _make_room(folder, _KINDS, os.getpid())
        except OSError as error:
            logger.error("this worker's metrics are not shown", extra={"error": str(error)})
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
    """Forget the gauges of a worker that ended, and keep what it counted. Does not raise for a disk."""
    try:
        _forget(folder, pid)
    except OSError as error:
        logger.error("what a worker counted is lost", extra={"error": str(error)})


def _forget(folder: Path, pid: int) -> None:
    with _lock(folder, fcntl.LOCK_EX):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        for file in folder.glob(f"*_{pid}.db"):
            kind = file.name.partition("_")[0]
            _add(file, folder / f"{kind}_{_ENDED}.db")
            file.unlink()


def remove(folder: Path) -> None:
    """Remove the folder, once all workers have ended."""
    shutil.rmtree(folder, ignore_errors=True)


def _make_room(folder: Path, kinds: Iterable[str], whose: int | str) -> None:
    """Make the files that the library will open, all of them or none. Raises OSError."""
    files = [folder / f"{kind}_{whose}.db" for kind in kinds]
    try:
        for file in files:
            with file.open("ab") as made:
                os.posix_fallocate(made.fileno(), 0, _ROOM_BYTES)
    except OSError:
        for file in files:
            file.unlink(missing_ok=True)
        raise


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
