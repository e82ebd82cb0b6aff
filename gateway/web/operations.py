"""The paths for operators and for readers of the schemas."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from gateway.errors import NotFound
from gateway.metrics import Metrics
from gateway.model import Publisher
from gateway.schemas import SchemaStore
from gateway.web.answers import json_answer

SCHEMA_JSON = "application/schema+json"


def operations(publisher: Publisher, metrics: Metrics, schemas: SchemaStore) -> Blueprint:
    """Give /livez, /readyz, /metrics and /schemas/<path>."""
    blueprint = Blueprint("operations", __name__)

    @blueprint.get("/livez", provide_automatic_options=False)
    def live() -> Response:
        return _json({"status": "alive"}, 200)

    @blueprint.get("/readyz", provide_automatic_options=False)
    def ready() -> Response:
        health = publisher.healthy()
        document: dict[str, object] = {"ready": health.ready, "status": health.status}
        if health.missing_topics:
            document["missingTopics"] = health.missing_topics
        if health.spooled:
            document["spooled"] = health.spooled
        return _json(document, 200 if health.ready else 503)

    @blueprint.get("/metrics", provide_automatic_options=False)
    def exposition() -> Response:
        return Response(metrics.exposition(), content_type=metrics.content_type)

    @blueprint.get("/schemas", provide_automatic_options=False)
    @blueprint.get("/schemas/", provide_automatic_options=False)
    def schema_names() -> Response:
        return _json({"schemas": [f"/schemas/{name}" for name in schemas.texts]}, 200)

    @blueprint.get("/schemas/<path:name>", provide_automatic_options=False)
    def schema(name: str) -> Response:
        if name not in schemas.texts:
            raise NotFound("there is no such schema; /schemas/ lists them")
        return Response(schemas.texts[name], content_type=SCHEMA_JSON)

    return blueprint


def _json(document: Any, status: int) -> Response:
    answer = json_answer(document, status)
    return Response(answer.body, answer.status, content_type=answer.content_type)
