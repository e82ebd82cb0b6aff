"""wrk, the load generator: one run of it, and what it tells."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.bodies import ID_MARK, Load, bodies

HOW_TO_GET_WRK = "wrk is needed, and is not installed: apt-get install wrk (or brew install wrk)"
_SCRIPT = Path(__file__).with_name("load.lua")
_TIMEOUT_SECONDS = 60
_runs = count(1)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the clients of one run heard. ``failed`` are sockets: connect, read, write errors, time-outs."""

    run: str
    requests: int
    seconds: float
    bad: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def good(self) -> int:
        """Requests that were answered 2xx."""
        return self.requests - self.bad


def why_not() -> str | None:
    """Why no load can be made here, or None."""
    return None if shutil.which("wrk") else HOW_TO_GET_WRK


def post(port: int, load: Load, seconds: float, folder: Path, header: str = "") -> Heard:
    """Post for so long (wrk counts whole seconds) and return what was heard."""
    with posting(port, load, seconds, folder, header) as running:
        return running.result()


@dataclass(frozen=True, slots=True)
class Running:
    """A run of wrk that goes on."""

    run: str
    process: subprocess.Popen[str]

    def result(self) -> Heard:
        """Wait for its end."""
        output, _ = self.process.communicate(timeout=_TIMEOUT_SECONDS + 600)
        if self.process.returncode:
            raise RuntimeError(f"wrk failed: {output}")
        told = json.loads(output.rpartition("\n{")[2].join(("{", "")))
        failed = sum(told[kind] for kind in ("connect", "read", "write", "timeout"))
        latencies = {name: told[name] for name in ("p50_ms", "p99_ms", "max_ms")}
        return Heard(self.run, told["requests"], told["seconds"], told["bad"], failed, **latencies)


@contextmanager
def posting(port: int, load: Load, seconds: float, folder: Path, header: str = "") -> Iterator[Running]:
    """Post in the background; ended with the block at the latest."""
    file = folder / f"{load.name}-{load.events}-{load.valid}.txt"
    if not file.exists():
        file.write_text("".join(f"{body}\n" for body in bodies(load)))
    run = f"r{next(_runs):03x}"
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", f"{_TIMEOUT_SECONDS}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}"]
    command += ["--", str(file), ID_MARK, run, load.content_type, header]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Running(run, process)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
