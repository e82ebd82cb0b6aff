"""What senders read: receipts, and problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response

from gateway import strict_json
from gateway.errors import GatewayError
from gateway.model import Receipt

PROBLEM = "application/problem+json"


def receipts(taken: Sequence[Receipt]) -> Response:
    """202: every event is durable; one receipt an event, in the order sent."""
    events = [_receipt(receipt) for receipt in taken]
    return json_answer({"events": events}, 202)


def problem(error: GatewayError, request_id: str) -> Response:
    """Everything that is wrong, and whether to send it again."""
    document = {
        "type": error.type,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "requestId": request_id,
        "errors": [
            {"pointer": p.pointer, "keyword": p.keyword, "message": p.message} for p in error.problems
        ],
    }
    answer = json_answer(document, error.status, PROBLEM)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def json_answer(document: Any, status: int, content_type: str = "application/json") -> Response:
    """Give a JSON body with its status."""
    return Response(strict_json.dump(document), status, content_type=content_type)


def _receipt(receipt: Receipt) -> dict[str, Any]:
    envelope, record, placement = receipt.event.envelope, receipt.event.record, receipt.placement
    return {
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
