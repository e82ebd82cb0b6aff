"""The paths of the OpenAPI document that take no events: the handshake, and those that are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gateway.contracts import responses
from gateway.web.answers import JSON, PROBLEM

Json = dict[str, Any]

TAG = "operations"
SCHEMA_JSON = "application/schema+json"
_ANY_JSON = {"type": "object"}
_READINESS = {
    "type": "object",
    "required": ["ready", "status"],
    "properties": {
        "ready": {"type": "boolean"},
        "status": {"type": "string", "description": "What stands in the way, if anything does."},
        "missingTopics": {"type": "array", "items": {"type": "string"}},
        "spooled": {"type": "integer", "minimum": 0, "description": "Records that wait for Kafka."},
    },
}
_ALIVE = {"type": "object", "required": ["status"], "properties": {"status": {"const": "alive"}}}
_LISTED = {"type": "array", "items": {"type": "string", "format": "uri-reference"}}


def paths(schemas: Iterable[str], samples: Iterable[str]) -> Json:
    """Give the paths that are read with GET; the names are those that can be asked for."""
    ready = _answer("Whether events are taken now.", JSON, _READINESS)
    not_ready = _answer("No event can be taken now, and why; or a fault of ours.", JSON, _READINESS)
    not_ready["content"][PROBLEM] = {"schema": {"$ref": "#/components/schemas/problem-503"}}
    found = {
        "/livez": _get("/livez", "Whether the process serves", JSON, _ALIVE),
        "/readyz": _get("/readyz", "Whether events are taken", JSON, _READINESS),
        "/metrics": _get("/metrics", "Metrics for Prometheus", "text/plain", {"type": "string"}),
        "/openapi.json": _get("/openapi.json", "This document", JSON, _ANY_JSON),
        "/asyncapi.json": _get("/asyncapi.json", "What comes out, as AsyncAPI", JSON, _ANY_JSON),
        "/topics.json": _get("/topics.json", "What lies in which topic", JSON, _list("topics", _ANY_JSON)),
        "/docs": _get("/docs", "All of this, for a person", "text/html", {"type": "string"}),
        "/schemas": _get("/schemas", "The schema files", JSON, _list("schemas")),
        "/schemas/": _get("/schemas/", "The schema files", JSON, _list("schemas")),
        "/schemas/{name}": _named("/schemas/{name}", "A schema file", SCHEMA_JSON, schemas),
        "/samples": _get("/samples", "The samples", JSON, _list("samples")),
        "/samples/": _get("/samples/", "The samples", JSON, _list("samples")),
        "/samples/{name}": _named("/samples/{name}", "An event, and what comes out of it", JSON, samples),
    }
    found["/readyz"]["get"]["responses"] |= {"200": ready, "503": not_ready}
    return found


def handshake(rule: str) -> Json:
    """Give OPTIONS: may this origin send here?"""
    consent = {
        name: {"schema": {"type": "string"}} for name in ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")
    }
    shared = {"Allow": responses.HEADERS["Allow"], "X-Request-Id": responses.HEADERS["X-Request-Id"]}
    return {
        "operationId": identifier("OPTIONS", rule),
        "summary": "The handshake of CloudEvents webhooks, before the first event",
        "tags": [TAG],
        "parameters": [
            {"name": "WebHook-Request-Origin", "in": "header", "schema": {"type": "string"}},
            {"name": "WebHook-Request-Rate", "in": "header", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {
                "description": "Consent lies in the header WebHook-Allowed-Origin, not in the status.",
                "headers": shared | consent,
            },
            "405": {"description": "The request names no origin.", "headers": shared},
        }
        | responses.problem(),
    }


def template(rule: str) -> str:
    """Give a URL rule as OpenAPI writes it: ``/a/<path:b>`` -> ``/a/{b}``."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def identifier(method: str, rule: str) -> str:
    """Name an operation: ``PATCH /events/incidents/<resource>`` -> ``patch-events-incidents-resource``."""
    words = re.sub(r"\W+", "-", template(rule)).strip("-")
    return f"{method.lower()}-{words}{'-list' if rule.endswith('/') else ''}"


def _get(path: str, summary: str, media_type: str, schema: Json) -> dict[str, Json]:
    answers = {"200": _answer(summary, media_type, schema)} | responses.problem()
    return {
        "get": {
            "operationId": identifier("GET", path),
            "summary": summary,
            "tags": [TAG],
            "responses": answers,
        }
    }


def _named(path: str, summary: str, media_type: str, names: Iterable[str]) -> Json:
    found = _get(path, summary, media_type, _ANY_JSON)
    found["get"]["parameters"] = [
        {
            "name": "name",
            "in": "path",
            "required": True,
            "description": "With its slashes as they are.",
            "schema": {"enum": list(names)},
        }
    ]
    found["get"]["responses"] |= responses.problem([404])
    return found


def _answer(told: str, media_type: str, schema: Json) -> Json:
    return {
        "description": told,
        "headers": {"X-Request-Id": responses.HEADERS["X-Request-Id"]},
        "content": {media_type: {"schema": schema}},
    }


def _list(member: str, items: Json | None = None) -> Json:
    listed = {"type": "array", "items": items} if items else _LISTED
    return {"type": "object", "required": [member], "properties": {member: listed}}
