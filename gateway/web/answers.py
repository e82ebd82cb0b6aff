"""What senders read: receipts, and problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway import problems, strict_json
from gateway.denials import Denial
from gateway.errors import GatewayError
from gateway.keeper import Quarantined
from gateway.model import Receipt

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, whichever door it goes through."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def receipts(taken: Sequence[Receipt]) -> Answer:
    """202: every event is durable; one receipt an event, in the order sent."""
    return json_answer({"events": [_receipt(receipt) for receipt in taken]}, 202)


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


def _receipt(receipt: Receipt) -> dict[str, Any]:
    envelope, record, placement = receipt.event.envelope, receipt.event.record, receipt.placement
    told = {
        "id": envelope.id,
        "source": envelope.source,
        "subject": {"type": envelope.subject.type, "id": envelope.subject.id},
        "predicate": envelope.predicate,
        "topic": record.topic,
        "key": record.key.decode(),
        "outcome": placement.outcome.value,
        "partition": placement.partition,
        "offset": placement.offset,
    }
    return told | {"duplicate": True} if placement.duplicate else told
