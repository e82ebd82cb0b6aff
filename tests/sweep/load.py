"""Client threads that post numbered events and note every answer."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from tests.integration.processes import until
from tests.sweep.events import Event, Mix

TIMEOUT = 10.0
_PATH = "/events/cdevents"
_HEADERS = {"Content-Type": "application/json"}
_CONNECT_AGAIN = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client heard of an event.

    ``status`` is None when the connection was cut, or nothing came in time; ``retry_after``
    says whether it was told when to send again.
    """

    event: Event
    status: int | None = None
    outcome: str | None = None
    retry_after: bool = False
    seconds: float = 0.0

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Load:
    """All clients. They can be switched on and off; the numbers go on."""

    def __init__(self, port: Callable[[], int], mix: Mix) -> None:
        """``port`` tells where the gateway listens now."""
        self.answers: list[Answer] = []
        self._port = port
        self._mix = mix
        self._numbers = count(1)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Post until the block is left and each client has its last answer."""
        stop = threading.Event()
        clients = [
            threading.Thread(target=self._post_until, args=(client, stop), name=f"client-{client}")
            for client in range(self._mix.clients)
        ]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            stop.set()
            for client in clients:
                client.join()

    def wait_for(self, wanted: Callable[[Answer], bool], seconds: float, what: str) -> None:
        """Return when such an answer came, counted from now."""
        seen = len(self.answers)
        until(lambda: any(wanted(answer) for answer in self.answers[seen:]), seconds, what)

    def _post_until(self, client: int, stop: threading.Event) -> None:
        line = _Line(self._port)
        try:
            while not stop.is_set():
                event = self._mix.event(next(self._numbers), client)
                answer = line.post(event, stop)
                if answer is not None:
                    self.answers.append(answer)
                stop.wait(self._mix.pause)
        finally:
            line.close()


class _Line:
    """One client's connection, kept alive; made anew when it was cut."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def post(self, event: Event, stop: threading.Event) -> Answer | None:
        """Post the event once; None when it was stopped before the event could be sent."""
        connection = self._connect(stop)
        if connection is None:
            return None
        began = time.monotonic()
        try:
            connection.request("POST", _PATH, event.body, _HEADERS)
            response = connection.getresponse()
            body = response.read()
            if response.will_close:  # else it would connect again by itself, to nobody after a stop
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(event, seconds=time.monotonic() - began)
        seconds = time.monotonic() - began
        retry_after = response.getheader("Retry-After") is not None
        return Answer(event, response.status, _outcome(response.status, body), retry_after, seconds)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self, stop: threading.Event) -> http.client.HTTPConnection | None:
        """Wait for somebody to listen: what never reached a gateway is not an event it failed."""
        while self._connection is None and not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=TIMEOUT)
            try:
                connection.connect()
            except OSError:
                connection.close()
                stop.wait(_CONNECT_AGAIN)
            else:
                self._connection = connection
        return self._connection


def _outcome(status: int, body: bytes) -> str | None:
    return str(json.loads(body)["events"][0]["outcome"]) if status == 202 else None
