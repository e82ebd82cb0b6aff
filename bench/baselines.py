"""What one writes first, and what one writes with care: the baselines, as small as they can be honestly.

Both read a CloudEvent or a batch, check the CDEvent inside against the same schema files, map it to the same
kind of envelope, and answer after Kafka's acknowledgement (acks=all).
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
from flask import Flask, request
from kafka import KafkaProducer
from referencing import Registry, Resource

from bench.bodies import EVENT_TYPE, TOPIC

BROKERS = "BENCH_KAFKA"
_SCHEMAS = Path(__file__).parent.parent / "schemas"
_SECONDS = 30

Answer = tuple[dict[str, Any], int]


def naive() -> Flask:
    """Flask, ``jsonschema.validate``, ``send().get()``: each event alone, from the schema's text on."""
    flask, producer, schema, registry = _parts()

    @flask.post("/events")
    def events() -> Answer:
        receipts = []
        for event in _events():
            try:
                jsonschema.validate(event["data"], schema, registry=registry)
            except jsonschema.ValidationError as error:
                return {"error": error.message}, 422
            done = producer.send(TOPIC, **_record(event)).get(_SECONDS)
            receipts.append({"id": event["id"], "partition": done.partition, "offset": done.offset})
        return {"events": receipts}, 202

    return flask


def competent() -> Flask:
    """The schema compiled once; a batch is checked and sent before any acknowledgement is waited for."""
    flask, producer, schema, registry = _parts()
    validator = jsonschema.Draft202012Validator(
        schema, registry=registry, format_checker=jsonschema.FormatChecker()
    )

    @flask.post("/events")
    def events() -> Answer:
        found = _events()
        for event in found:
            if error := next(validator.iter_errors(event["data"]), None):
                return {"error": error.message}, 422
        futures = [producer.send(TOPIC, **_record(event)) for event in found]
        done = [future.get(_SECONDS) for future in futures]
        return {
            "events": [
                {"id": event["id"], "partition": record.partition, "offset": record.offset}
                for event, record in zip(found, done, strict=True)
            ]
        }, 202

    return flask


def _parts() -> tuple[Flask, KafkaProducer, dict[str, Any], Registry[Any]]:
    texts = [json.loads(path.read_bytes()) for path in (_SCHEMAS / "cdevents").rglob("*.schema.json")]
    resources = [(text["$id"], Resource.from_contents(text)) for text in texts]
    schema = next(text for text in texts if text["$id"].endswith(f"/{EVENT_TYPE}.schema.json"))
    flask = Flask(__name__)
    flask.add_url_rule("/readyz", view_func=lambda: "ready")
    producer = KafkaProducer(bootstrap_servers=os.environ[BROKERS].split(","), acks="all")
    return flask, producer, schema, Registry().with_resources(resources)


def _events() -> list[dict[str, Any]]:
    document = request.get_json(force=True)
    return document if isinstance(document, list) else [document]


def _record(event: dict[str, Any]) -> dict[str, Any]:
    """Key, value and headers, as ``KafkaProducer.send`` takes them."""
    data = event["data"]
    subject, content = data["subject"], data["subject"]["content"]
    envelope = {
        "version": "1",
        "subject": {"type": "incident", "id": subject["id"], "source": subject.get("source")},
        "predicate": "detected",
        "time": data["context"]["timestamp"],
        "receivedTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "system": "cdevents",
        "origin": {"id": event["id"], "type": event["type"], "source": event["source"]},
        "details": {
            name: content[name] for name in ("description", "environment", "service") if name in content
        },
        "payload": data,
    }
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event["id"],
        "ce_source": event["source"],
        "ce_type": "dev.cloudevents-gateway.incident.detected.v1",
        "ce_subject": subject["id"],
        "content-type": "application/json",
    }
    return {
        "key": f"incident/{subject['id']}".encode(),
        "value": json.dumps(envelope).encode(),
        "headers": [(name, value.encode()) for name, value in attributes.items()],
    }
