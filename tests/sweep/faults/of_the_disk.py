"""The spool has no room while Kafka is away; then it has."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.sweep.faults.fault import NO_ROOM, SOON, Fault, spooled
from tests.sweep.load import Answer
from tests.sweep.oracle import Rules
from tests.sweep.stage import Stage

_MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class SpoolFull(Fault):
    """The bound of the setting is reached. Either room is made first, or Kafka comes back first."""

    rules: Rules = NO_ROOM
    settings: dict[str, str] = field(default_factory=lambda: {"spool_max_bytes": str(_MEGABYTE)})
    kafka_first: bool = False
    seconds: float = 3.0

    def play(self, stage: Stage) -> None:
        self.prepare(stage)
        stage.begin()
        with stage.load.on():
            stage.post_for(self.calm)
            stage.broker.stop()
            self.narrow(stage)
            stage.load.wait_for(_refused, SOON, "a refusal")
            stage.post_for(self.seconds)
            for step in self._steps(stage):
                step()
                stage.post_for(self.calm)
            stage.await_recovery()
            stage.post_for(self.calm)
        stage.expect(any(map(spooled, stage.load.answers)), "events are spooled until no room is left")

    def _steps(self, stage: Stage) -> list[Callable[[], None]]:
        steps = [lambda: self.widen(stage), stage.broker.start]
        return steps[::-1] if self.kafka_first else steps

    def prepare(self, stage: Stage) -> None:
        """Before the gateway starts."""

    def narrow(self, stage: Stage) -> None:
        """Leave little room."""

    def widen(self, stage: Stage) -> None:
        """Make room."""


@dataclass(frozen=True, kw_only=True)
class FileSizeLimit(SpoolFull):
    """The worker may write no file beyond some size; its writes fail with EFBIG."""

    settings: dict[str, str] = field(default_factory=dict)
    bytes: int = 2 * _MEGABYTE

    def narrow(self, stage: Stage) -> None:
        self._limit(stage, self.bytes)

    def widen(self, stage: Stage) -> None:
        self._limit(stage, resource.RLIM_INFINITY)

    def _limit(self, stage: Stage, size: int) -> None:
        for worker in stage.gateway.workers():
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@dataclass(frozen=True, kw_only=True)
class SmallDisk(SpoolFull):
    """The data folder is a small file system of its own; writes fail with ENOSPC. Needs root."""

    settings: dict[str, str] = field(default_factory=dict)
    left: int = 4 * _MEGABYTE

    def why_not(self) -> str | None:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return "only root can mount a small file system"
        with tempfile.TemporaryDirectory() as folder:
            try:
                with _mounted(Path(folder)):
                    return None
            except subprocess.CalledProcessError as error:
                return f"a small file system cannot be mounted: {error.stderr.strip()}"

    def prepare(self, stage: Stage) -> None:
        stage.gateway.data.mkdir()
        stage.stack.enter_context(_mounted(stage.gateway.data))
        stage.stack.callback(stage.gateway.close)  # before the file system goes

    def narrow(self, stage: Stage) -> None:
        free = shutil.disk_usage(stage.gateway.data).free
        self._ballast(stage).write_bytes(bytes(free - self.left))

    def widen(self, stage: Stage) -> None:
        self._ballast(stage).unlink()

    def _ballast(self, stage: Stage) -> Path:
        return stage.gateway.data / "ballast"


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    _run("mount", "-t", "tmpfs", "-o", "size=64m", "sweep", folder)
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


def _run(*arguments: str | Path) -> None:
    subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=30)


def _refused(answer: Answer) -> bool:
    return answer.status == 503
