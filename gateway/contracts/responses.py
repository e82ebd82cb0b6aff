"""What a sender can be answered, for the OpenAPI document: receipts, and every problem type by its status."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from gateway import problems
from gateway.contracts.bundle import PLACE, Bundle
from gateway.denials import Denial, RateLimited
from gateway.errors import GatewayError, InternalError, MethodNotAllowed
from gateway.schemas import DEADLETTER, RECEIPTS
from gateway.web.answers import JSON, PROBLEM

Json = dict[str, Any]
Kinds = list[type[GatewayError]]
ByStatus = Mapping[int, Kinds]

_HEADERS: dict[str, Json] = {
    "X-Request-Id": {
        "description": "The id of the request, by which the log and the dead letter tell it.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds until it is worth sending again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods of this path.", "schema": {"type": "string"}},
}
HEADERS = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
_EXTRA = {401: ["WWW-Authenticate"], 405: ["Allow"], 429: ["Retry-After"], 503: ["Retry-After"]}


def headers() -> Json:
    """Give the components for headers of answers."""
    return dict(_HEADERS)


def by_status(*, guarded: bool, limited: bool) -> ByStatus:
    """Give the problem types that these settings can give, by status; ``guarded`` is by credentials."""
    found: dict[int, Kinds] = {}
    for kind in problems.types():
        if (guarded or not issubclass(kind, Denial)) and (limited or kind is not RateLimited):
            found.setdefault(kind.status, []).append(kind)
    return dict(sorted(found.items()))


def components(kinds: ByStatus, bundle: Bundle) -> tuple[Json, Json]:
    """Give the components for responses and for their schemas, named ``problem-<status>``."""
    document = bundle.ref(DEADLETTER, "/properties/problem")
    responses, schemas = {}, {}
    for status, declared in kinds.items():
        types = [kind.type for kind in declared]
        name = f"problem-{status}"
        schemas[name] = {
            "title": f"Problem document of a {status} (RFC 9457)",
            "allOf": [document, {"properties": {"type": {"enum": types}, "status": {"const": status}}}],
        }
        responses[name] = {
            "description": "\n".join(f"* `{kind.type}`: {meaning(kind)}" for kind in declared),
            "headers": {header: HEADERS[header] for header in ["X-Request-Id", *_EXTRA.get(status, ())]},
            "content": {PROBLEM: {"schema": {"$ref": f"{PLACE}{name}"}}},
        }
    return responses, schemas


def intake(statuses: Iterable[int], bundle: Bundle) -> Json:
    """Give the responses of a way in; a method it does not take has no operation to stand under."""
    refused = [status for status in statuses if status != MethodNotAllowed.status]
    return {
        "202": {
            "description": "Every event is durable: one receipt an event, in the order sent.",
            "headers": {"X-Request-Id": HEADERS["X-Request-Id"]},
            "content": {JSON: {"schema": bundle.ref(RECEIPTS)}},
        }
    } | problem(refused)


def problem(statuses: Collection[int] = (InternalError.status,)) -> Json:
    """Refer to the responses of these statuses."""
    return {str(status): {"$ref": f"#/components/responses/problem-{status}"} for status in statuses}


def meaning(kind: type[GatewayError]) -> str:
    """Give the one sentence that says what a problem type means."""
    return " ".join((kind.__doc__ or "").split())
