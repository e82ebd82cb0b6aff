"""A whole gateway in memory: its HTTP door as senders see it, its records as consumers do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from werkzeug.test import Client, TestResponse

from gateway import app, credentials_file, settings, systems
from gateway.model import Record
from tests.asgi_server import through_asgi
from tests.memory_publisher import MemoryPublisher

Front = Literal["flask", "asgi"]
FRONTS: tuple[Front, ...] = get_args(Front)
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
PROBLEM = "application/problem+json"
MAX_BODY = 1_048_576  # by default


class Door:
    """Settings are given by name, as text: ``Door(systems="ctoai")``.

    ``front`` says by which of the two doors it is reached; a module that uses the fixture of that name is run
    for both.
    """

    front: ClassVar[Front] = "flask"

    def __init__(self, **chosen: str) -> None:
        self.publisher = MemoryPublisher()
        self.publisher.start()
        environ = {settings.variable(name): value for name, value in chosen.items()}
        loaded = settings.load(environ)
        file = loaded.credentials_file
        credentials = (
            credentials_file.load(file, environ, systems.known(loaded.mappings_dir))[0] if file else None
        )
        self.gateway = app.build(loaded, self.publisher, credentials)
        through = self.gateway.application if self.front == "flask" else through_asgi(self.gateway.asgi)
        self.client = Client(through, TestResponse, use_cookies=False)

    @property
    def published(self) -> list[Record]:
        """The records of events."""
        return [record for record in self.publisher.records if not self._is_dead_letter(record)]

    @property
    def dead_letters(self) -> list[Record]:
        """The records of what was refused."""
        return [record for record in self.publisher.records if self._is_dead_letter(record)]

    def _is_dead_letter(self, record: Record) -> bool:
        return record.topic == self.gateway.router.dead_letter_topic

    def send(
        self,
        body: Any,
        path: str = "/events",
        *,
        method: str = "POST",
        content_type: str | None = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Send bytes as they are, and anything else as JSON."""
        content = {} if content_type is None else {"Content-Type": content_type}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.open(path, method=method, data=data, headers=content | dict(headers or {}))


def envelope(record: Record) -> dict[str, Any]:
    """The value of a record in binary mode, as a consumer reads it."""
    return dict(json.loads(record.value))


def headers(record: Record) -> dict[str, str]:
    """The headers of a record, as a consumer reads them."""
    return {name: value.decode() for name, value in record.headers}


def told(answer: TestResponse) -> dict[str, Any]:
    """What an answer says: its JSON."""
    return dict(json.loads(answer.data))


def pointers(answer: TestResponse) -> list[str]:
    """Where a problem document says that something is wrong."""
    return [error["pointer"] for error in told(answer)["errors"]]
