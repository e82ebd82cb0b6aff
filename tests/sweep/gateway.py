"""A gateway that is killed and started again: many processes, one after the other, on one data folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.integration.processes import GATEWAY, GatewayProcess, kill_all, serving, until, worker_pids

_STOP_SECONDS = 30
_EVENTS = re.compile(rb'^gateway_events_total\{.*?outcome="(\w+)".*?\} (\S+)$', re.MULTILINE)
_GAUGE = re.compile(rb"^gateway_spool_records (\S+)$", re.MULTILINE)


class Gateway:
    """At most one process runs at a time. Each life has a folder of its own, with its log."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.data = folder / "data"
        self.port = 0
        self._folder = folder
        self._settings = dict(settings) | {"data_dir": str(self.data)}
        self._lives = 0
        self._stack = ExitStack()
        self._process: GatewayProcess | None = None

    @property
    def process(self) -> GatewayProcess:
        assert self._process is not None, "the gateway was not started"
        return self._process

    @property
    def logs(self) -> list[Path]:
        return sorted(self._folder.glob("life-*/gateway.log"))

    def start(self) -> None:
        """Return when it serves. Nothing else may run on the folder."""
        self._lives += 1
        life = self._folder / f"life-{self._lives:03d}"
        life.mkdir()
        self._process = self._stack.enter_context(serving(life, GATEWAY, **self._settings))
        self.port = self._process.port

    def stop(self) -> int:
        """Ask it to end, as a deployment does; its exit code, a negative one if it had to be killed."""
        try:
            return self.process.stop()
        except subprocess.TimeoutExpired:
            kill_all(self.process)
            return -signal.SIGKILL
        finally:
            self._stack.close()

    def kill(self) -> None:
        """Kill master and workers, and return when they are gone."""
        workers = self.workers()
        kill_all(self.process)
        self._await_end(workers)

    def kill_worker(self) -> None:
        """Kill the worker, and return when the master's next one serves."""
        (worker, *_) = self.workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda: self.workers() not in ([], [worker]), 30, "the next worker")
        until(self.serves, 30, "the next worker to serve")

    def kill_master(self, seconds: float) -> None:
        """Kill the master, and its workers that much later, as those who supervise processes do.

        Until then the orphans serve on.
        """
        workers = self.workers()
        os.kill(self.process.process.pid, signal.SIGKILL)
        self.process.process.wait(_STOP_SECONDS)
        time.sleep(seconds)
        for pid in filter(_alive, workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._await_end(workers)

    def close(self) -> None:
        """End whatever runs; nothing is asked of it."""
        if self._process is not None and self._process.process.poll() is None:
            kill_all(self._process)
        self._stack.close()

    def _await_end(self, workers: list[int]) -> None:
        """Return when they hold no file any more."""
        self._stack.close()
        until(lambda: not any(map(_alive, workers)), _STOP_SECONDS, "the killed workers to be gone")

    def workers(self) -> list[int]:
        return worker_pids(self.process)

    def serves(self) -> bool:
        try:
            return self.process.get("/livez").status == 200
        except OSError:
            return False

    def backlog(self) -> int | None:
        """How many events wait in the spool; None when it cannot be asked."""
        try:
            found = _GAUGE.search(self.process.get("/metrics").body)
        except OSError:
            return None
        return int(float(found[1])) if found else 0

    def has_kafka(self) -> bool:
        """Whether Kafka has acknowledged something, after it was away or since the start."""
        return "away" not in str(self.process.get("/readyz").json["status"])

    def drained(self) -> bool:
        """Whether it has Kafka, and nothing waits."""
        return self.has_kafka() and self.backlog() == 0

    def wait_until_sent(self, share: float, seconds: float) -> None:
        """Return once that share of the highest backlog is gone, or all of it; asks as often as it can."""
        end = time.monotonic() + seconds
        highest = rows = self.backlog() or 0
        while rows >= (1 - share) * highest and not self.drained():
            assert time.monotonic() < end, f"waited {seconds} s for the spool to be sent"
            rows = self.backlog() or 0
            highest = max(highest, rows)

    def outcomes(self) -> Counter[str]:
        """What the metrics count."""
        counted: Counter[str] = Counter()
        for outcome, number in _EVENTS.findall(self.process.get("/metrics").body):
            counted[outcome.decode()] += int(float(number))
        return counted


def timed(gateway: Gateway) -> tuple[int, float]:
    """Stop it and give its exit code and the seconds it took."""
    began = time.monotonic()
    return gateway.stop(), time.monotonic() - began


def _alive(pid: int) -> bool:
    """Whether any thread of the process runs: the first may have ended while others still hold its files."""
    return any(map(_runs, Path(f"/proc/{pid}/task").glob("*/stat")))


def _runs(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
