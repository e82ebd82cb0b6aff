"""Problem documents (RFC 9457): what is told of an error, to senders and in dead letters."""

from __future__ import annotations

from typing import Any

from gateway import denials, framing  # noqa: F401  (both declare classes that `types` gives)
from gateway.errors import Failure, GatewayError, Refusal


def document(error: GatewayError, request_id: str) -> dict[str, Any]:
    """Give everything that is wrong, in document order."""
    return {
        "type": error.type,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "requestId": request_id,
        "errors": [
            {"pointer": p.pointer, "keyword": p.keyword, "message": p.message} for p in error.problems
        ],
    }


def types() -> list[type[GatewayError]]:
    """Every class that a sender can meet as a problem document, in the order they are declared."""
    found: list[type[GatewayError]] = []
    pending: list[type[GatewayError]] = [Refusal, Failure]
    while pending:
        kind = pending.pop(0)
        if kind not in (Refusal, Failure, denials.Denial):
            found.append(kind)
        pending[:0] = kind.__subclasses__()
    return found
