"""What senders read: receipts, and problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from gateway import problems, strict_json
from gateway.denials import Denial
from gateway.errors import GatewayError
from gateway.keeper import Quarantined
from gateway.model import Outcome, Receipt

JSON = "application/json"
PROBLEM = "application/problem+json"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Answer(Struct, frozen=True):
    """What goes back, whichever door it goes through."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def receipts(taken: Sequence[Receipt]) -> Answer:
    """202: every event is durable; one receipt an event, in the order sent."""
    return Answer(202, strict_json.dump_structs({"events": [_told(receipt) for receipt in taken]}))


def quarantined(kept: Quarantined, request_id: str) -> Answer:
    """202: nothing was published, and the request lies in the dead letters with what is wrong with it."""
    dead_letter = {
        "requestId": request_id,
        "problem": problems.document(kept.refusal, request_id),
        "topic": kept.record.topic,
        "outcome": kept.placement.outcome.value,
        "partition": kept.placement.partition,
        "offset": kept.placement.offset,
    }
    return json_answer({"events": [], "deadLetter": dead_letter}, 202)


def problem(error: GatewayError, request_id: str) -> Answer:
    """Everything that is wrong, and whether to send it again."""
    body = strict_json.dump(problems.document(error, request_id))
    headers = []
    if error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
    if isinstance(error, Denial) and error.challenge is not None:
        headers.append(("WWW-Authenticate", error.challenge))
    return Answer(error.status, body, PROBLEM, tuple(headers))


def json_answer(document: Any, status: int) -> Answer:
    """Give a JSON body with its status."""
    return Answer(status, strict_json.dump(document))


class _Subject(Struct, gc=False):
    type: str
    id: str


class _Told(Struct, omit_defaults=True, gc=False):
    """A receipt as senders read it."""

    id: str
    source: str
    subject: _Subject
    predicate: str
    topic: str
    key: str
    outcome: Outcome
    partition: int | None
    offset: int | None
    duplicate: bool = False


def _told(receipt: Receipt) -> _Told:
    event, record, placement = receipt.event, receipt.event.record, receipt.placement
    return _Told(
        record.id,
        record.source,
        _Subject(event.subject.type, event.subject.id),
        event.predicate,
        record.topic,
        record.key.decode(),
        placement.outcome,
        placement.partition,
        placement.offset,
        placement.duplicate,
    )


def on_the_wire(answer: Answer, more: Iterable[tuple[bytes, bytes]], *, keep_alive: bool = False) -> bytes:
    """Give a whole HTTP/1.1 response, the last of its connection unless that is kept alive."""
    own = "".join([f"{name.lower()}: {value}\r\n" for name, value in answer.headers])
    head = (
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n{_lines(tuple(more))}"
        f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n{own}"
    )
    return (head + ("\r\n" if keep_alive else "connection: close\r\n\r\n")).encode("latin-1") + answer.body


@lru_cache(maxsize=4)
def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> str:
    """Those of the server, which are new once a second."""
    return "".join([f"{name.decode('latin-1')}: {value.decode('latin-1')}\r\n" for name, value in headers])
