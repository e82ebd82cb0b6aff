"""The AsyncAPI document of the topics: what consumers read, from the router and the schemas it fills.

Sources: AsyncAPI 3.0.0; its Kafka bindings 0.5.0; CloudEvents 1.0.2, Kafka protocol binding section 3.
Its schemas are read as JSON Schema draft 07, which the two schema files here keep to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.contracts import security
from gateway.contracts.bundle import Bundle
from gateway.contracts.catalogue import Kind, Meaning, Topic
from gateway.contracts.parts import VERSION, Parts
from gateway.contracts.samples import Sample, record
from gateway.routing import DEAD_LETTER
from gateway.schemas import DEADLETTER, ENVELOPE
from gateway.settings import Settings

Json = dict[str, Any]

_ABOUT = """What the gateway publishes. The value is the envelope, whoever sent the event; the key is
`<subject type>/<subject id>`, so what happens to one subject stays in order within its topic. An event
can come more than once, and then carries the same CloudEvents `source` and `id`: drop the second."""
_BINDING = "0.5.0"
_TEXT = {"type": "string", "minLength": 1}
_ATTRIBUTES: Mapping[str, Json] = {
    "specversion": {"type": "string", "const": "1.0"},
    "id": _TEXT | {"description": "With the source, what tells this event from all others."},
    "source": _TEXT | {"format": "uri-reference", "description": "The sender."},
    "subject": _TEXT | {"description": "The id of the subject."},
    "time": {"type": "string", "format": "date-time", "description": "When it happened."},
    "dataschema": {"type": "string", "format": "uri"},
    "datacontenttype": {"type": "string", "const": "application/json"},
    "partitionkey": _TEXT | {"description": "The record's key."},
}
_OWN_HEADER = {"datacontenttype": "content-type"}  # in binary mode


def document(parts: Parts, topics: Sequence[Topic], samples: Mapping[str, Sample]) -> Json:
    """Give the whole document."""
    settings = parts.settings
    bundle = Bundle(parts.pipeline.schemas)
    messages = dict(_messages(parts, topics, samples, bundle))
    servers = security.brokers(settings, "#/components/securitySchemes/")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "CloudEvents ingestion gateway",
            "version": VERSION,
            "description": _ABOUT if servers else f"{_ABOUT}\n\nNo Kafka is configured: this is a local log.",
        },
        "defaultContentType": _content_type(settings),
        "servers": servers,
        "channels": {topic.name: _channel(topic, settings) for topic in topics},
        "operations": {
            f"publish.{topic.name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.about,
            }
            for topic in topics
        },
        "components": {
            "messages": messages,
            "schemas": bundle.components,
            "securitySchemes": security.sasl(settings),
        },
    }


def _channel(topic: Topic, settings: Settings) -> Json:
    made = {"partitions": settings.topic_partitions, "replicas": settings.topic_replication}
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in dict.fromkeys(_names(topic))
        },
        "bindings": {
            "kafka": {"topic": topic.name, "bindingVersion": _BINDING}
            | {name: number for name, number in made.items() if number > 0}
        },
    }


def _names(topic: Topic) -> Iterator[str]:
    if topic.kind is Kind.EVENTS:
        yield from (f"{one.subject}.{one.predicate}" for one in topic.meanings)
    else:
        yield topic.kind.value


def _messages(
    parts: Parts, topics: Sequence[Topic], samples: Mapping[str, Sample], bundle: Bundle
) -> Iterator[tuple[str, Json]]:
    router = parts.pipeline.router
    for topic in topics:
        shown = [samples[name] for one in topic.meanings for name in one.samples]
        if topic.kind is Kind.DEAD_LETTERS:
            type = {"const": router.type(DEAD_LETTER)}
            yield topic.kind.value, _message(topic.about, type, bundle.ref(DEADLETTER), parts.settings)
        elif topic.kind is Kind.OPEN_ENDED:
            message = _message(topic.about, {}, bundle.ref(ENVELOPE), parts.settings)
            yield topic.kind.value, message | {"examples": _examples(shown)}
        else:
            for one in topic.meanings:
                message = _message(_told(one), {"const": one.type}, _of(one, bundle), parts.settings)
                own = _examples([samples[name] for name in one.samples])
                yield f"{one.subject}.{one.predicate}", message | {"name": one.type, "examples": own}


def _of(meaning: Meaning, bundle: Bundle) -> Json:
    """The envelope of one meaning."""
    return {
        "allOf": [
            bundle.ref(ENVELOPE),
            {
                "properties": {
                    "subject": {"properties": {"type": {"const": meaning.subject}}},
                    "predicate": {"const": meaning.predicate},
                    "vocabulary": {"const": meaning.vocabulary},
                    "system": {"enum": list(meaning.systems)},
                }
            },
        ]
    }


def _message(summary: str, type: Json, value: Json, settings: Settings) -> Json:
    attributes = {**_ATTRIBUTES, "type": {"type": "string"} | type}
    structured = settings.content_mode == "structured"
    if structured:
        headers: Json = {"content-type": {"type": "string", "const": _content_type(settings)}}
        value = {
            "type": "object",
            "required": [*attributes, "data"],
            "properties": {**attributes, "data": value},
        }
    else:
        headers = {_OWN_HEADER.get(name, f"ce_{name}"): schema for name, schema in attributes.items()}
    key = _TEXT | {"description": "<subject type>/<subject id>"}
    return {
        "summary": summary,
        "contentType": _content_type(settings),
        "headers": {"type": "object", "required": list(headers), "properties": headers},
        "payload": value,
        "correlationId": {
            "description": "The id in the sender's receipt.",
            "location": "$message.payload#/id" if structured else "$message.header#/ce_id",
        },
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}},
    }


def _examples(samples: Sequence[Sample]) -> list[Json]:
    made = [(sample, record(sample.event.record)) for sample in samples]
    return [
        {
            "name": sample.name,
            "summary": f"of {sample.event.envelope.system}; its key is {one['key']}",
            "headers": one["headers"],
            "payload": one["value"],
        }
        for sample, one in made
    ]


def _content_type(settings: Settings) -> str:
    structured = settings.content_mode == "structured"
    return "application/cloudevents+json" if structured else "application/json"


def _told(meaning: Meaning) -> str:
    words = "in CDEvents' words" if meaning.vocabulary == "cdevents" else "in the sender's words"
    return f"{meaning.subject} {meaning.predicate}, {words}; from {', '.join(meaning.systems)}"
