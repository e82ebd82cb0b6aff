"""A key in the URL, for senders that can set no header: taken, and written nowhere, at either door."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.integration.processes import serving
from tests.keys import hashed, principal
from tests.test_alarm_senders import ALARM, azure, google, sns

KEY = "canary-of-the-url-0123456789"
SENT = {"googlecloud": google(), "azuremonitor": azure(), "cloudwatch": sns()}


@pytest.mark.parametrize("door", ["asgi", "flask"])
def test_a_key_in_the_url_lets_in_and_is_in_no_log_and_no_file(tmp_path: Path, door: str) -> None:
    file = tmp_path / "credentials.toml"
    file.write_text(principal("cloud", hashed("query-key", KEY), systems=list(SENT)))
    file.chmod(0o600)
    with serving(tmp_path, door=door, credentials_file=str(file), log_level="debug") as gateway:
        for system, document in SENT.items():
            for name in ("access_token", "key"):
                path, body = f"/events/{system}?{name}={KEY}", json.dumps(document).encode()
                assert gateway.send("POST", path, body).status == 202
                assert gateway.send("POST", f"{path}x", body).status == 401
                assert gateway.send("POST", path, b'{"a": ').status == 400
                assert gateway.send("POST", path, json.dumps(ALARM | {"a": 1}).encode()).status == 422
                assert gateway.send("DELETE", path).status == 405
        broken = f"POST /events?key={KEY} HTTP/9.9\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
            connection.sendall(broken)
            assert KEY.encode() not in connection.recv(65_536)
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert [path for path, content in written.items() if KEY.encode() in content] == []
