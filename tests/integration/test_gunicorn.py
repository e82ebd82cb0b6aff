"""gunicorn with deploy/gunicorn.conf.py, as somebody runs it who wants to run it himself."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.processes import (
    GATEWAY,
    GatewayProcess,
    command,
    environment,
    free_port,
    until,
    worker_pids,
)
from tests.test_metrics import EVENTS, read

CONFIGURATION = Path(__file__).parent.parent.parent / "deploy" / "gunicorn.conf.py"
EVENT = b'{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}'


@contextmanager
def gunicorn(folder: Path, **settings: str) -> Iterator[GatewayProcess]:
    port = free_port()
    log = folder / "gunicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [GATEWAY.with_name("gunicorn"), "-c", CONFIGURATION],
            cwd=folder,
            env=environment(settings | {"bind": f"127.0.0.1:{port}"}),
            stdout=output,
            stderr=output,
        )
    running = GatewayProcess(process, port, log)

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return running.get("/livez").status == 200
        except OSError:
            return False

    try:
        until(listens, 30, "gunicorn to listen")
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_what_gateway_serve_serves(tmp_path: Path, workers: str) -> None:
    with gunicorn(tmp_path, workers=workers) as gateway:
        answers = [gateway.send("POST", "/events", EVENT) for _ in range(8)]
        assert {answer.status for answer in answers} == {202}
        assert read(gateway.get("/metrics").body.decode())[EVENTS] == 8
        assert gateway.stop() == 0
    assert len(command(["tail", "--from-start", "--no-follow"], tmp_path).splitlines()) == 8


def test_sighup_reads_the_settings_again_and_a_fault_in_them_changes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('systems = ["ctoai"]\n')
    with gunicorn(tmp_path, config=str(config)) as gateway:
        assert gateway.send("POST", "/events/tracker", b"{}").status == 404
        for text, status in (('systems = ["nonsense"]\n', 404), ('systems = ["ctoai", "tracker"]\n', 422)):
            old = worker_pids(gateway)
            config.write_text(text)
            gateway.process.send_signal(signal.SIGHUP)
            until(lambda old=old: worker_pids(gateway) and not set(old) & set(worker_pids(gateway)), 60, "it")
            until(lambda: gateway.get("/livez").status == 200, 30, "the new worker")
            assert gateway.send("POST", "/events/tracker", b"{}").status == status
        assert "reload refused, the old settings stay" in gateway.log.read_text()


def test_faulty_settings_are_told_and_nothing_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [GATEWAY.with_name("gunicorn"), "-c", CONFIGURATION],
        cwd=tmp_path,
        env=environment({"bind": "127.0.0.1:0", "ack": "nonsense"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "GATEWAY_ACK" in done.stderr
