"""Credentials of a real gateway: where it does not start, and a key that is changed while events come in."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.processes import (
    GATEWAY,
    Answer,
    GatewayProcess,
    command,
    environment,
    free_port,
    serving,
    until,
    worker_pids,
)
from tests.keys import PROFILES, SECRETS, bearer, hashed, of_every_kind, presented, principal, written
from tests.samples import provisioned

EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t", "commit": "c"}'
OLD, NEW = "the-old-secret", "the-new-secret"
BOTH = (hashed("bearer", OLD, "old"), hashed("bearer", NEW, "new"))


def headers(secret: str) -> dict[str, str]:
    return {"Content-Type": "application/json"} | bearer(secret)


def post(gateway: GatewayProcess, secret: str) -> Answer:
    return gateway.send("POST", "/events", EVENT, headers(secret))


def start(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Try to start a gateway that must not start."""
    return subprocess.run(
        [GATEWAY, "serve"],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def sending(gateway: GatewayProcess, secret: str) -> Iterator[Counter[int | str]]:
    """Events all the time, over a connection that is kept."""
    answers: Counter[int | str] = Counter()
    stop = threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        while not stop.is_set():
            try:
                connection.request("POST", "/events", EVENT, headers(secret))
                answer = connection.getresponse()
                answer.read()
                answers[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                answers[type(error).__name__] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def reload(gateway: GatewayProcess, *answers: Counter[int | str]) -> None:
    """Tell it to read its files again, and wait until the old worker is gone and events go on."""
    before, taken = worker_pids(gateway), [counted.total() for counted in answers]
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: not set(before) & set(worker_pids(gateway)), 30, "the old worker to end")
    for counted, number in zip(answers, taken, strict=True):
        until(lambda c=counted, n=number: c.total() > n + 20, 30, "events to go on")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.7", "nowhere.invalid"])
def test_without_credentials_it_does_not_start_where_others_could_send(tmp_path: Path, host: str) -> None:
    ended = start(tmp_path, bind=f"{host}:{free_port()}")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "GATEWAY_CREDENTIALS_FILE" in line
    assert "GATEWAY_ALLOW_ANONYMOUS=true" in line


def test_a_faulty_file_stops_the_start_with_every_fault(tmp_path: Path) -> None:
    text = principal("ci", hashed("bearer", OLD, "o d"), systems=["no-such-system"])
    ended = start(tmp_path, credentials_file=str(written(tmp_path, text)), bind=f"0.0.0.0:{free_port()}")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 2


def test_with_a_credential_it_listens_everywhere(tmp_path: Path) -> None:
    lines = command(["credentials", "new", "ci"], tmp_path)
    file = written(tmp_path, lines + "\n" + principal("ops", BOTH[0]))
    process = subprocess.Popen(
        [GATEWAY, "serve"],
        cwd=tmp_path,
        env=environment({"bind": f"0.0.0.0:{(port := free_port())}", "credentials_file": str(file)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    gateway = GatewayProcess(process, port, tmp_path / "no-log")
    try:
        until(lambda: listens(gateway), 30, "the gateway to listen")
        assert post(gateway, OLD).status == 202
        refused = post(gateway, NEW)
        assert (refused.status, refused.json["type"]) == (401, "unauthenticated")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    finally:
        gateway.stop()


def test_a_key_is_changed_under_load_and_nobody_notices(tmp_path: Path) -> None:
    file = written(tmp_path, principal("ci", BOTH[0]))
    with serving(tmp_path, credentials_file=str(file)) as gateway:
        assert post(gateway, NEW).status == 401
        with sending(gateway, OLD) as old:
            written(tmp_path, principal("ci", *BOTH))
            reload(gateway, old)
            with sending(gateway, NEW) as new:
                until(lambda: new.total() > 20, 30, "events of the new key")
                reload(gateway, old, new)
        with sending(gateway, NEW) as later:
            written(tmp_path, principal("ci", BOTH[1]))
            reload(gateway, later)
        assert set(old) | set(new) | set(later) == {202}
        assert post(gateway, OLD).status == 401
        assert post(gateway, NEW).status == 202
        assert 'gateway_credential_uses_total{credential="new",principal="ci"}' in uses(gateway)


def test_a_faulty_file_changes_nothing_on_reload_nor_for_a_worker_that_is_started_anew(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, principal("ci", BOTH[0]))
    with serving(tmp_path, credentials_file=str(file)) as gateway:
        written(tmp_path, principal("ci", BOTH[1]) + "\nnonsense = 1\n[")
        with sending(gateway, OLD) as answers:
            until(lambda: answers.total() > 20, 30, "events to come in")
            reload(gateway, answers)
        assert set(answers) == {202}
        assert "reload refused" in gateway.log.read_text()
        assert OLD not in gateway.log.read_text()


def test_a_signed_request_that_is_sent_again_is_not_published_again(tmp_path: Path) -> None:
    """Neither at once, nor after a restart."""
    file = written(tmp_path, of_every_kind())
    bodies = {kind: json.dumps(provisioned(event_id=kind)).encode() for kind in PROFILES}
    signed = {kind: presented(kind, SECRETS[kind], bodies[kind], datetime.now(UTC)) for kind in PROFILES}
    answers: dict[str, list[Answer]] = {kind: [] for kind in PROFILES}
    for _ in range(2):
        with serving(tmp_path, credentials_file=str(file), duplicate_window_seconds="3600") as gateway:
            for kind in [*PROFILES, *PROFILES]:
                sent = signed[kind] | {"Content-Type": "application/json"}
                answers[kind].append(gateway.send("POST", "/events", bodies[kind], sent))
    for of_kind in answers.values():
        assert [answer.status for answer in of_kind] == [202] * 4
        assert ["duplicate" in answer.json["events"][0] for answer in of_kind] == [False, True, True, True]
    assert len(command(["tail", "--from-start", "--no-follow"], tmp_path).splitlines()) == len(bodies)


def test_what_gunicorn_cannot_read_is_not_quoted_with_its_key(tmp_path: Path) -> None:
    broken = (
        b"POST /events?access_token=canary-1 x y HTTP/1.1\r\n\r\n",
        b"POST /events?key=canary-1 HTTP/9.9\r\n\r\n",
        b"POST /events HTTP/1.1\r\nAuthorization Bearer canary-1\r\n\r\n",
        b"POST /events HTTP/1.1\r\nX-Api-Key : canary-1\r\n\r\n",
    )
    with serving(tmp_path, log_level="debug") as gateway:
        for request in broken:
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
                connection.sendall(request)
                assert connection.recv(65_536).startswith(b"HTTP/1.1 ")
    assert "canary-1" not in gateway.log.read_text()


def uses(gateway: GatewayProcess) -> str:
    return gateway.get("/metrics").body.decode()


def listens(gateway: GatewayProcess) -> bool:
    try:
        return gateway.get("/livez").status == 200
    except OSError:
        return False
