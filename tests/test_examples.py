"""The examples beside the schemas: every one is posted, and does exactly what its expected file says."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from urllib.parse import parse_qs

import pytest

from gateway.errors import Refusal
from gateway.model import Document, Record
from gateway.schemas import CLOUDEVENT, DEADLETTER, ENVELOPE, MAPPING, RECEIPTS
from gateway.sources.disguises import FORM
from gateway.systems import BUILT_IN
from tests.consumer_schemas import assert_is_envelope
from tests.door import PROBLEM, Door, envelope, headers
from tests.examples import DECLARED, MAPPINGS, RECEIVED, REQUEST_ID, SCHEMAS, Example, envelope_of, examples

FOLDERS = (SCHEMAS, MAPPINGS)
VALID = examples("valid")
INVALID = examples("invalid")
RECEIVED_TEXT = RECEIVED.isoformat(timespec="milliseconds").replace("+00:00", "Z")

each_valid = pytest.mark.parametrize("example", VALID, ids=lambda example: example.name)
each_invalid = pytest.mark.parametrize("example", INVALID, ids=lambda example: example.name)


def post(door: Door, example: Example) -> Any:
    return door.client.open(example.path, method=example.method, data=example.body, headers=example.headers)


def as_consumed(record: Record) -> dict[str, Any]:
    return {
        "id": headers(record)["ce_id"],
        "source": headers(record)["ce_source"],
        "topic": record.topic,
        "key": record.key.decode(),
        "envelope": envelope_of(record.value),
    }


def exact(text: bytes) -> Any:
    """JSON with its numbers as they were written: 1.0, 1 and 1e0 are three different things."""
    return json.loads(text, parse_int=_written, parse_float=_written)


def _written(digits: str) -> tuple[str, str]:
    return "number", digits


def sent_documents(example: Example) -> list[Any]:
    """What the sender put inside its CloudEvents, or the body itself; of a group, one for each event."""
    name = example.system
    declared = tomllib.loads((MAPPINGS / f"{name}.toml").read_text()) if name in DECLARED else {}
    each = declared.get("each", "").split("/")[1:]
    group = each if name in DECLARED else resolve_name(BUILT_IN[name]).group
    return [part for document in _whole_documents(example) for part in _parts(document, group)]


def _whole_documents(example: Example) -> list[Any]:
    content_type = example.headers.get("content-type", "")
    if content_type == FORM:
        return [exact(parse_qs(example.body)[b"payload"][0])]
    body = exact(example.body)
    if content_type.startswith("application/cloudevents-batch"):
        return [_data(member) for member in body]
    return [_data(body) if content_type.startswith("application/cloudevents") else body]


def _parts(document: Any, group: Sequence[str]) -> list[Any]:
    if not group:
        return [document]
    name, *deeper = group
    inside = _parts(document[name], deeper) if deeper else [[item] for item in document[name]]
    return [{**document, name: part} for part in inside]


def _data(event: dict[str, Any]) -> Any:
    return event["data"] if "data" in event else exact(base64.b64decode(event["data_base64"]))


@each_valid
def test_a_valid_example_is_published_as_its_expected_file_says_digit_for_digit_with_a_receipt_for_each(
    door: Door, example: Example
) -> None:
    answer = post(door, example)
    assert answer.status_code == 202, answer.json
    assert_as_expected(door, example, answer)
    assert [(r["topic"], r["key"], r["id"], r["outcome"]) for r in answer.json["events"]] == [
        (r.topic, r.key.decode(), headers(r)["ce_id"], "published") for r in door.published
    ]
    sent = sent_documents(example) if example.expected["records"] else []  # a control message is kept nowhere
    assert [exact(record.value)["payload"] for record in door.published] == sent
    for record in door.published:
        assert_is_envelope(record.value)
        assert record.topic in door.gateway.router.topics()


def assert_as_expected(door: Door, example: Example, answer: Any) -> None:
    # The two things that are fresh in every request.
    expected = json.dumps(example.expected["records"]).replace(REQUEST_ID, answer.headers["X-Request-Id"])
    if door.published:
        expected = expected.replace(RECEIVED_TEXT, envelope(door.published[0])["receivedTime"])
    assert [as_consumed(record) for record in door.published] == json.loads(expected)


@each_invalid
def test_an_invalid_example_is_refused_as_its_expected_file_says(door: Door, example: Example) -> None:
    answer = post(door, example)
    told = [{"pointer": e["pointer"], "keyword": e["keyword"]} for e in answer.json["errors"]]
    assert {"status": answer.status_code, "type": answer.json["type"], "errors": told} == {
        name: value for name, value in example.expected.items() if name != "request"
    }
    assert answer.content_type == PROBLEM
    assert all(error["message"] for error in answer.json["errors"])
    assert door.published == []


@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_every_example_has_an_expected_file_and_no_expected_file_is_alone(kind: str) -> None:
    found = {example.expected_path for example in examples(kind)}
    assert found
    assert found == {path for folder in FOLDERS for path in folder.glob(f"*/examples/{kind}/expected/*")}


def test_every_example_is_found() -> None:
    in_folders = {p for folder in FOLDERS for p in folder.glob("**/examples/**/*") if p.is_file()}
    known = {path for example in VALID + INVALID for path in (example.body_path, example.expected_path)}
    assert in_folders == known


def test_every_schema_file_has_the_id_of_its_path() -> None:
    ids = {path: json.loads(path.read_text(encoding="utf-8"))["$id"] for path in schema_files()}
    root = "https://cloudevents-gateway.dev/schemas/"
    assert ids == {path: root + path.relative_to(SCHEMAS.resolve()).as_posix() for path in ids}


def test_every_schema_file_is_used_by_a_valid_example() -> None:
    named = {schema for table in ("guide", "proto") for schema in schemas_in_use(table)}
    built_in = [name for name in named if (SCHEMAS / name).exists()]
    used = {path for name in built_in for path in with_references(SCHEMAS / name)}
    shared = {SCHEMAS.resolve() / name for name in (ENVELOPE, CLOUDEVENT, DEADLETTER, MAPPING, RECEIPTS)}
    assert used | shared == set(schema_files())


def schema_files() -> list[Path]:
    return sorted(SCHEMAS.resolve().glob("**/*.schema.json"))


def schemas_in_use(status_table: str) -> set[str]:
    """The schemas that the documents of the valid examples are found valid against."""
    pipeline = Door(tracker_status_table=status_table, mappings_dir=str(MAPPINGS)).gateway.pipeline
    found = set()
    for example in VALID:
        for document in pipeline.reader.read(example.message()).members:
            assert isinstance(document, Document), example.name
            source = pipeline.sources.recognise(document)
            if source.control(document):
                continue
            try:
                found.add(pipeline.validate(source, document))
            except Refusal:
                assert status_table == "proto", "a valid example is valid by the default table"
    return found


def with_references(path: Path) -> set[Path]:
    """A schema file and those it refers to, over any number of steps."""
    found: set[Path] = set()
    pending = [path.resolve()]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            named = _files_named(json.loads(path.read_bytes()))
            pending += [(path.parent / name).resolve() for name in named]
    return found


def _files_named(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in _files_named(item)}
    if not isinstance(schema, dict):
        return set()
    here = str(schema.get("$ref", "")).partition("#")[0]
    return ({here} if here else set()) | {name for value in schema.values() for name in _files_named(value)}
