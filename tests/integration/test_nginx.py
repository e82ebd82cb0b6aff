"""nginx with deploy/nginx/gateway.conf before a real gateway."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.processes import GatewayProcess, free_port, serving, until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
PUBLISHED = Path(__file__).parent.parent.parent / "deploy" / "nginx" / "gateway.conf"
EVENT = b'{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}'
HEAD = (
    b"POST /events HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\nConnection: close\r\n"
)
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/gateway.conf;
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def configure(folder: Path, port: int, gateway_port: int) -> Path:
    """The published file, with free ports and a log here; all else is as it is published."""
    text = PUBLISHED.read_text(encoding="utf-8")
    for old, new in {
        "127.0.0.1:8080": f"127.0.0.1:{gateway_port}",
        "listen 8081;": f"listen 127.0.0.1:{port};",
        "/var/log/nginx/gateway.log": f"{folder}/access.log",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "gateway.conf").write_text(text)
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder))
    return main


@contextmanager
def proxy(folder: Path, gateway_port: int) -> Iterator[GatewayProcess]:
    folder.mkdir()
    port = free_port()
    assert NGINX is not None
    command = [
        NGINX,
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(configure(folder, port, gateway_port)),
    ]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    running = GatewayProcess(subprocess.Popen(command), port, folder / "access.log")

    def listens() -> bool:
        assert running.process.poll() is None, (folder / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, 30, "nginx to listen")
        yield running
    finally:
        running.stop()


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[GatewayProcess]:
    with serving(tmp_path) as gateway, proxy(tmp_path / "nginx", gateway.port) as running:
        yield running


def raw(proxied: GatewayProcess, request: bytes) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", proxied.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def test_an_event_comes_through_and_its_request_id_is_in_the_answer_and_the_log(
    proxied: GatewayProcess,
) -> None:
    answer = proxied.send("POST", "/events?key=a-secret", EVENT)
    assert answer.status == 202
    name = answer.headers["X-Request-Id"]
    until(lambda: name in proxied.log.read_text(), 30, "the line of the log")
    assert "a-secret" not in proxied.log.read_text()


def test_a_chunked_body_comes_through(proxied: GatewayProcess) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (EVENT[:7], EVENT[7:])) + b"0\r\n\r\n"
    status, _, _ = raw(proxied, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert status == 202


def test_headers_as_large_as_the_gateway_takes_come_through(proxied: GatewayProcess) -> None:
    large = b"X-Large: " + b"a" * 8_100 + b"\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(EVENT)
    assert raw(proxied, HEAD + large + length + EVENT)[0] == 202
    assert raw(proxied, HEAD + large.replace(b"X-Large", b"X-Other") + large + length + EVENT)[0] == 202


def test_too_large_a_body_is_told_as_a_problem_document(proxied: GatewayProcess) -> None:
    answer = proxied.send("POST", "/events", b"1".ljust(1_048_577))
    assert (answer.status, answer.json["type"]) == (413, "too-large")


def test_what_is_for_operators_is_there_from_this_machine_and_the_rest_is_not(
    proxied: GatewayProcess,
) -> None:
    assert [proxied.get(path).status for path in ("/livez", "/readyz", "/metrics", "/schemas/")] == [200] * 4
    assert proxied.get("/else").status == 404


def test_while_no_gateway_answers_senders_are_told_to_send_again(tmp_path: Path) -> None:
    with proxy(tmp_path / "nginx", free_port()) as running:
        answer = running.send("POST", "/events", EVENT)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.body)["type"] == "unavailable"
