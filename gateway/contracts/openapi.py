"""The OpenAPI document of the intake, from the routes, schemas and problem types that serve it.

Source: OpenAPI 3.1.1. CloudEvents 1.0.2, HTTP protocol binding sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway import strict_json
from gateway.contracts import operations, responses, security
from gateway.contracts.bundle import PLACE, Bundle
from gateway.contracts.parts import VERSION, Parts
from gateway.contracts.samples import Sample
from gateway.schemas import CLOUDEVENT
from gateway.sources.disguises import FORM
from gateway.sources.reading import BATCHED, STRUCTURED
from gateway.sources.source import DELIVERY_ID_HEADERS, Disguise
from gateway.web.answers import JSON
from gateway.web.routes import Intake

Json = dict[str, Any]
_READ = (JSON, STRUCTURED, BATCHED)

_ABOUT = """Takes the events of many systems, each in its own dialect, and publishes them to Kafka in one
shape. A 202 means that every event is durable. Anything else means: unknown, or not taken; a 4xx says
everything that is wrong and where, after a 503 the same request may be sent again, and that is safe.

`/asyncapi.json` describes what comes out, `/docs` both for a person."""

# CloudEvents in binary mode: attribute -> what it is
_BINARY = {
    "specversion": "1.0",
    "id": "Identifies the event within its source.",
    "source": "Where the event happened.",
    "type": "What kind of event it is.",
    "subject": "What the event is about, within its source.",
    "time": "When it happened (RFC 3339).",
}


def document(parts: Parts, samples: Mapping[str, Sample]) -> Json:
    """Give the whole document."""
    bundle = Bundle(parts.pipeline.schemas)
    kinds = responses.by_status(guarded=parts.guarded, limited=parts.limited)
    bodies = _bodies(parts, bundle)
    intake_paths = _intakes(parts, bundle, kinds, samples)
    problem_responses, problem_schemas = responses.components(kinds, bundle)
    schemes = security.schemes(parts.credentials)
    components = {
        "schemas": dict(sorted((bundle.components | bodies | problem_schemas).items())),
        "responses": problem_responses,
        "headers": responses.headers(),
        "parameters": _parameters(),
    } | ({"securitySchemes": schemes} if schemes else {})
    return {
        "openapi": "3.1.1",
        "info": {"title": "CloudEvents ingestion gateway", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": source.name, "description": source.title} for source in parts.pipeline.sources]
        + [{"name": "any"}, {"name": operations.TAG}],
        "paths": intake_paths | operations.paths(parts.pipeline.schemas.texts, samples),
        "components": components,
    }


def _intakes(parts: Parts, bundle: Bundle, kinds: responses.ByStatus, samples: Mapping[str, Sample]) -> Json:
    paths: dict[str, Json] = {}
    demanded = security.requirement(security.schemes(parts.credentials))
    for intake in parts.intakes:
        path = paths.setdefault(operations.template(intake.rule), _shared(intake))
        path[intake.method.lower()] = {
            "operationId": _identifier(intake),
            "summary": _summary(intake),
            "tags": [intake.system or "any"],
            "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _parameters()],
            "requestBody": {
                "required": True,
                "content": _content(intake, parts, bundle, _examples(intake, samples.values())),
            },
            "responses": responses.intake(kinds, bundle),
        } | ({"security": demanded} if demanded else {})
        path["options"] = operations.handshake(intake.rule)
    return paths


def _bodies(parts: Parts, bundle: Bundle) -> Json:
    """A component for what each system sends, and for its updates; and one for what any of them sends."""
    bodies: Json = {}
    sources = list(parts.pipeline.sources)
    files = parts.pipeline.schemas.texts
    for source in sources:
        for update in (False, True):
            chosen = [bundle.ref(name) for name in source.schemas(files, update=update)]
            about = {"title": f"{source.title}{', an update' if update else ''}"}
            bodies[_body(source.name, update)] = about | (
                {"anyOf": chosen} if len(chosen) > 1 else dict(*chosen)
            )
    any_of = [{"$ref": f"{PLACE}{_body(source.name, False)}"} for source in sources]
    bodies[_body(None, False)] = {"title": "An event of any of the systems", "anyOf": any_of}
    needed = {_body(intake.system, intake.update) for intake in parts.intakes}
    return {name: body for name, body in bodies.items() if name in needed or "update" not in name}


def _body(system: str | None, update: bool) -> str:
    return f"body.{system or 'any'}{'.update' if update else ''}"


def _content(intake: Intake, parts: Parts, bundle: Bundle, examples: Mapping[str, Sequence[Sample]]) -> Json:
    plain: Json = {"$ref": f"{PLACE}{_body(intake.system, intake.update)}"}
    event: Json = {
        "allOf": [bundle.ref(CLOUDEVENT), {"properties": {"data": plain}}],
        "description": "Extension attributes are kept.",
    }
    batch: Json = {"type": "array", "items": event, "maxItems": parts.settings.max_batch_events}
    content: dict[str, Json] = {
        JSON: {"schema": plain},
        STRUCTURED: {"schema": event},
        BATCHED: {"schema": batch},
    }
    for source in parts.pipeline.sources:
        for disguise in source.disguises if intake.system in (None, source.name) else ():
            content[disguise.media_type] = _disguised(disguise, plain)
    for media_type, shown in examples.items():
        content[media_type]["examples"] = {
            sample.name.replace("/", "."): {
                "summary": f"becomes {sample.event.record.topic}",
                "value": strict_json.parse(sample.request.body),
            }
            for sample in shown
        }
    return content


def _disguised(disguise: Disguise, plain: Json) -> Json:
    """JSON under another media type, which only a header of its system makes readable."""
    inside = {"type": "string", "contentMediaType": JSON, "contentSchema": plain}
    field = {"type": "object", "required": ["payload"], "properties": {"payload": inside}}
    form = disguise.media_type == FORM
    return {
        "schema": (field if form else inside) | {"description": f"With the header {disguise.header} only."}
    }


def _examples(intake: Intake, samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """The samples that come this way, by media type; any system's way has one of each.

    One in binary mode is left out, since half of it stands in headers, and one that no schema would take as
    it is spelled.
    """
    found: dict[str, list[Sample]] = {}
    seen: set[str] = set()
    for sample in samples:
        request, system = sample.request, sample.event.envelope.system
        fits = intake.system == system and intake.update == request.intake.update
        first = intake.system is None and not request.intake.update and system not in seen
        if intake.system is None and not request.headers.keys() <= {"content-type"}:
            continue  # a header may be what it is recognised by, and is not shown here
        if (fits or first) and sample.exact and request.media_type in _READ and not request.is_binary:
            seen.add(system)
            found.setdefault(request.media_type, []).append(sample)
    return found


def _parameters() -> Json:
    text = {"type": "string", "minLength": 1}
    binary = {
        f"ce-{name}": {
            "name": f"ce-{name}",
            "in": "header",
            "description": f"CloudEvents in binary mode. {told}",
            "schema": {"const": "1.0"} if name == "specversion" else text,
        }
        for name, told in _BINARY.items()
    }
    delivery = {
        name: {
            "name": name,
            "in": "header",
            "description": "The id of this delivery, repeated over its retries; for events without an id.",
            "schema": text,
        }
        for name in DELIVERY_ID_HEADERS
    }
    encoding = {
        "name": "content-encoding",
        "in": "header",
        "description": "How the body is packed.",
        "schema": {"enum": ["gzip"]},
    }
    return {**binary, **delivery, "content-encoding": encoding}


def _shared(intake: Intake) -> Json:
    if "<resource>" not in intake.rule:
        return {}
    resource = {
        "name": "resource",
        "in": "path",
        "required": True,
        "description": "The id of what is updated; without a slash.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 1_024},
    }
    return {"parameters": [resource]}


def _identifier(intake: Intake) -> str:
    return operations.identifier(intake.method, intake.rule)


def _summary(intake: Intake) -> str:
    if intake.system is None:
        return "Take any event: a CloudEvent by its headers, else plain JSON recognised by its shape"
    return f"Take {'an update' if intake.update else 'an event'} of {intake.system}"
