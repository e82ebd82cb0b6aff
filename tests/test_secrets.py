"""What a request holds besides its event is seen by nobody; and nobody is called on a sender's word."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from gateway import logs
from gateway.logs import JsonFormatter
from tests.door import BATCHED, STRUCTURED, Door, told
from tests.keys import HASHED, SECRETS, guarded, of_every_kind, presented, query, sha256
from tests.samples import bound, cloudevent, deployed, detected

pytestmark = pytest.mark.usefixtures("front")

CARD = "4111-1111-1111-1111"  # stands for a payload


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that anybody logs, at every level, in the form that the gateway writes."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    handler.setLevel(logging.NOTSET)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


def seen(door: Door, answers: list[bytes], log: StringIO) -> str:
    """All that leaves the gateway but the events themselves; dead letters unpacked."""
    letters = [record.value + str(record.headers).encode() + record.key for record in door.dead_letters]
    everything = b"\n".join([*answers, *letters, door.client.get("/metrics").data])
    return everything.decode() + log.getvalue()


def forms(secret: str) -> set[str]:
    """A secret as it may be written."""
    packed = base64.b64encode(gzip.compress(secret.encode(), 1, mtime=0)).decode()
    return {secret, sha256(secret), base64.b64encode(secret.encode()).decode().rstrip("="), packed}


BODIES: dict[str, Any] = {
    "good": deployed(card=CARD),
    "refused": deployed(event_action="wobbled", card=CARD),
    "of nobody": {"hello": CARD},
    "no json": b'{"card": ' + CARD.encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("good", [True, False], ids=["good secret", "wrong secret"])
def test_no_secret_is_seen_in_what_is_logged_answered_counted_or_kept(
    tmp_path: Path, log: StringIO, kind: str, good: bool, body: Any
) -> None:
    secret = SECRETS[kind] if good else SECRETS[kind].replace("0123", "9876").replace("Y2Fu", "Y2Fv")
    door = guarded(tmp_path, of_every_kind(), log_level="debug")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = presented(kind, secret, content, datetime.now(UTC))
    path = f"/events?{query(kind, secret)}&access_token={SECRETS['bearer']}x"
    answer = door.send(content, path if kind == "query-key" else f"/events?key={secret}", headers=headers)
    everything = seen(door, [answer.data, str(answer.headers).encode()], log)
    shown = [value.partition("=")[2] or value for name, value in headers.items() if "signature" in name]
    for hidden in [*forms(secret), *[value for value in shown if kind not in HASHED]]:
        assert hidden not in everything
    if answer.status_code >= 400:
        assert told(answer)["requestId"] in log.getvalue()


def test_a_payload_is_not_logged_at_any_level(log: StringIO) -> None:
    door = Door(log_level="debug")
    for body in BODIES.values():
        door.send(body)
    assert CARD not in log.getvalue()


def test_the_log_names_the_principal(tmp_path: Path, log: StringIO) -> None:
    door = guarded(tmp_path, of_every_kind())
    headers = presented("bearer", SECRETS["bearer"], b"{", datetime.now(UTC))
    answer = door.send(b"{", headers=headers)
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if '"refused"' in line]
    assert (line["principal"], line["request"]) == ("bearer", told(answer)["requestId"])


FORGED = '\n{"level":"error"}\r\x1b[31m\u2028\x00'


@pytest.mark.parametrize("path", ["/events/incidents/%0a%0d%1b%5b31m%00", "/events?key=%0a%0dx"])
def test_control_characters_of_a_sender_stay_on_the_line(log: StringIO, path: str) -> None:
    door = Door()
    door.client.patch(path, json={"title": FORGED})
    door.send(deployed(event_action=FORGED, team_id=FORGED), headers={"ce-subject": "%0a%0d"})
    lines = log.getvalue().split("\n")[:-1]
    assert lines
    for line in lines:
        assert json.loads(line)
        assert line.isascii() and line.isprintable()


LEAKS = [
    "Invalid HTTP request line: 'POST /events?access_token=canary-1 x y'",
    "Invalid HTTP request line: 'POST /events?a=b&key=canary-1 x y'",
    "Invalid HTTP Header: 'Authorization Bearer canary-1'",
    "Invalid HTTP Header: 'Authorization: Basic canary-1'",
    "Invalid HTTP Header: 'X-Api-Key canary-1'",
]


@pytest.mark.parametrize("message", LEAKS)
@pytest.mark.parametrize("name", ["gunicorn.error", "uvicorn.access"])
def test_what_a_library_logs_of_a_broken_request_is_redacted(
    name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    own = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger(name)
    logger.addHandler(own)  # as gunicorn has, which formats by itself
    try:
        logs.configure("debug")
        logger.warning("%s", message)
        logger.warning(message)
    finally:
        logger.removeHandler(own)
        root.handlers[:] = before
        root.setLevel(level)
    written = capsys.readouterr().err
    assert "canary-1" not in written
    assert "***" in written


# -- no request is made on a sender's word ------------------------------------------------------------------


@pytest.fixture
def canary() -> Iterator[tuple[str, list[object]]]:
    """A listener, and who has called it."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    callers.append(server.accept())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/canary", callers
        stop.set()
        thread.join()


def hostile(url: str) -> list[tuple[Any, str, dict[str, str]]]:
    reference = {"$ref": url, "$schema": url, "$id": url, "href": url}
    event = bound(detected(schemaUri=url))
    event["data"]["customData"] = reference
    return [
        (event, STRUCTURED, {}),
        (event | {"dataschema": url, "dataref": url, "schemaurl": url}, STRUCTURED, {}),
        ([cloudevent(deployed(change=reference), dataschema=url, dataref=url)], BATCHED, {}),
        (deployed(**reference), "application/json", {"Link": f"<{url}>; rel=describedby", "Referer": url}),
        (detected(schemaUri=url), "application/json", {"ce-dataschema": url, "ce-dataref": url}),
        (reference, f'application/json; profile="{url}"', {"WebHook-Request-Callback": url}),
    ]


def test_no_address_in_a_request_is_ever_called(canary: tuple[str, list[object]]) -> None:
    url, callers = canary
    door = Door(allowed_origins="*")
    for body, content_type, headers in hostile(url):
        for path in ("/events", "/events/cdevents", "/events/ctoai"):
            door.send(body, path, content_type=content_type, headers=headers)
    asked = {"WebHook-Request-Origin": url, "WebHook-Request-Callback": url, "WebHook-Request-Rate": "1"}
    assert door.client.options("/events", headers=asked).status_code == 200
    assert door.published
    assert callers == []


def test_not_even_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("a connection was asked for")

    door = Door(allowed_origins="*")
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, connect)
    monkeypatch.setattr(socket.socket, "connect", connect)
    for body, content_type, headers in hostile("http://canary.invalid/"):
        assert door.send(body, content_type=content_type, headers=headers).status_code < 500
