"""A real gateway: gunicorn in a process of its own, spoken to over real HTTP, ended by its own pid."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers

GATEWAY = Path(sys.executable).with_name("gateway")
_START_SECONDS = 30
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class GatewayProcess:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {"Content-Type": "application/json"}))
            answer = connection.getresponse()
            return Answer(answer.status, Headers(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def wait_until_ready(self, seconds: float = 60) -> None:
        until(lambda: self.get("/readyz").status == 200, seconds, "the gateway to be ready")

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)


def until(condition: Any, seconds: float, what: str) -> None:
    """Wait for something that happens soon, within a bound that a slow machine keeps too."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s for {what}")


def kill_all(gateway: GatewayProcess) -> None:
    """Kill the master and its workers with -9, each by its own pid."""
    workers = worker_pids(gateway)
    gateway.process.kill()
    gateway.process.wait(_STOP_SECONDS)
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def worker_pids(gateway: GatewayProcess) -> list[int]:
    """The processes that gunicorn's master has forked."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, executable: Path = GATEWAY, **settings: str) -> Iterator[GatewayProcess]:
    """Run ``gateway serve`` in a folder, its settings from the arguments alone."""
    port = free_port()
    log = folder / "gateway.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [executable, "serve"],
            cwd=folder,
            env=environment(settings | {"bind": f"127.0.0.1:{port}"}),
            stdout=output,
            stderr=output,
        )
    gateway = GatewayProcess(process, port, log)
    try:
        until(lambda: _listens(gateway), _START_SECONDS, f"the gateway to listen; {log.read_text()}")
        yield gateway
    finally:
        gateway.stop()


def command(arguments: Sequence[str], folder: Path, **settings: str) -> str:
    """Run a ``gateway`` command to its good end and give what it printed."""
    done = subprocess.run(
        [GATEWAY, *arguments],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return inherited | {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}


def _listens(gateway: GatewayProcess) -> bool:
    if gateway.process.poll() is not None:
        raise AssertionError(f"the gateway ended: {gateway.log.read_text()}")
    try:
        return gateway.get("/livez").status == 200
    except OSError:
        return False
