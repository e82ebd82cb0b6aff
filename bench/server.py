"""A server under measurement: real processes, CPU time and memory from /proc, ended by their own pid."""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.integration.processes import free_port

_START_SECONDS = 60
_STOP_SECONDS = 60
_SETTLE_SECONDS = 30
_REST_SECONDS = 0.25
_RESTS = 2
_REST_SHARE = 0.1  # of one core
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs. ``start_seconds`` is the time from its start to the first 200 of its readiness path."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    start_seconds: float = 0.0

    def cpu_seconds(self) -> float:
        """CPU time of the process and of all it has started, user and system."""
        return sum(cpu_seconds(pid) for pid in self._tree())

    def memory_mib(self) -> float:
        """Proportional set size (PSS) of all its processes: pages that they share count once."""
        return sum(_pss_kib(pid) for pid in self._tree()) / 1_024

    def settle(self) -> None:
        """Wait until it rests: a load that ended leaves requests behind, and a spool to be drained.

        It answers (after what it has queued) and hardly works, twice in a row: on a busy machine
        a server that gets no CPU looks like one that needs none.
        """
        deadline, rested = time.monotonic() + _SETTLE_SECONDS, 0
        while rested < _RESTS and time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                self.get("/readyz")
            before = self.cpu_seconds()
            time.sleep(_REST_SECONDS)
            idle = self.cpu_seconds() - before <= _REST_SECONDS * _REST_SHARE
            rested = rested + 1 if idle else 0

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _tree(self) -> Sequence[int]:
        found = [self.process.pid]
        for pid in found:
            with suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
                found += map(int, children.split())
        return found


@contextmanager
def started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], ready: str = "/readyz"
) -> Iterator[Server]:
    """Run a command, with ``{port}`` in its arguments filled in; ended with the block."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            env=dict(environment) | {"GATEWAY_BIND": f"127.0.0.1:{port}"},
            stdout=output,
            stderr=output,
        )
    try:
        yield Server(process, port, log, _seconds_to_ready(Server(process, port, log), ready, began))
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _seconds_to_ready(server: Server, path: str, began: float) -> float:
    while (now := time.monotonic()) < began + _START_SECONDS:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended: {server.log.read_text()[-2_000:]}")
        with suppress(OSError, http.client.HTTPException):
            if server.get(path)[0] == 200:
                return time.monotonic() - began
        time.sleep(0.02)
    raise RuntimeError(f"not ready within {now - began:.0f} s: {server.log.read_text()[-2_000:]}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and the children it waited for (proc_pid_stat(5)); 0.0 if gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def _pss_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
