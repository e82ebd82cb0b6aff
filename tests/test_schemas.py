"""The schema store: two validators of one opinion, messages that quote little, bad files named at start."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gateway.errors import Refusal, SettingsError
from gateway.model import Document
from gateway.schemas import CLOUDEVENT, MAX_PROBLEMS, SchemaStore
from tests.door import Door, told
from tests.examples import SCHEMAS, examples
from tests.mutations import mutate
from tests.samples import deployed

PIPELINE = Door().gateway.pipeline
STORE = PIPELINE.schemas


def documents() -> list[tuple[str, Any]]:
    """What every example holds, with the schema it is held against."""
    found = []
    for example in examples("valid") + examples("invalid"):
        try:
            read = PIPELINE.reader.read(example.message()).members
        except Refusal:
            continue  # not even JSON, or no CloudEvent
        found += [
            with_schema
            for document in read
            if isinstance(document, Document)
            for with_schema in _with_schema(document)
        ]
    return found


def _with_schema(document: Document) -> list[tuple[str, Any]]:
    try:
        source = PIPELINE.sources.recognise(document)
        return [(source.schema(document), source.fold(document.data))]
    except Refusal:
        return []


@st.composite
def bent_cloudevents(draw: DrawFn) -> Any:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "subject": "s", "x": 1, "data": {}}
    return mutate(draw, event)


@given(bent_cloudevents())
def test_the_data_of_a_cloudevent_changes_nothing_about_its_attributes(event: Any) -> None:
    """The reader looks at the attributes alone."""
    if isinstance(event, dict) and "data_base64" not in event:
        attributes = {name: value for name, value in event.items() if name != "data"}
        assert STORE.is_valid(CLOUDEVENT, event) == STORE.is_valid(CLOUDEVENT, attributes)


DOCUMENTS = documents()
MORE = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def assert_agreed(schema: str, document: Any) -> None:
    """The reference gives the same verdict as the compiled validator, and the same reasons."""
    explained = STORE.explain(schema, document)
    found, _ = STORE.find(schema, document)
    assert STORE.is_valid(schema, document) == (explained == ())
    if len(explained) < MAX_PROBLEMS:  # of more than that, each may tell others
        in_doubt = '"": ' in json.dumps(document)  # the compiled one leaves an empty name out of a place
        assert found == explained or (in_doubt and found == ())


@pytest.mark.parametrize(
    ("schema", "document"), DOCUMENTS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(DOCUMENTS)]
)
def test_both_validators_agree_on_every_example(schema: str, document: Any) -> None:
    assert_agreed(schema, document)


@st.composite
def mutations(draw: DrawFn) -> tuple[str, Any]:
    schema, document = DOCUMENTS[draw(st.integers(0, len(DOCUMENTS) - 1))]
    return schema, mutate(draw, document)


@settings(max_examples=MORE or 500, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations())
def test_both_validators_agree_on_examples_bent_out_of_shape(sent: tuple[str, Any]) -> None:
    assert_agreed(*sent)


@settings(max_examples=MORE or 300, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations(), st.sampled_from(sorted(STORE.texts)))
def test_both_validators_agree_on_documents_of_another_schema(sent: tuple[str, Any], schema: str) -> None:
    assert_agreed(schema, sent[1])


def test_what_only_one_validator_refuses_is_refused_told_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    schema = {"$id": "https://s.example/one.schema.json", "type": "string"}
    (tmp_path / "one.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    counted: list[bool] = []
    store = SchemaStore(tmp_path, lambda: counted.append(True))
    finds_nothing = type(store._explainers["one.schema.json"])({})
    store._explainers["one.schema.json"] = finds_nothing
    for _ in range(2):
        (problem,) = store.check("one.schema.json", 5)
        assert problem.message == "5 is not of type string"
    assert len(counted) == 2
    assert [record.message for record in caplog.records] == ["the validators disagree"] * 2


def test_the_reference_is_asked_once_for_every_rule_that_is_broken(tmp_path: Path) -> None:
    schema = {"$id": "https://s.example/one.schema.json", "type": "string", "minLength": 3}
    (tmp_path / "one.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    store = SchemaStore(tmp_path)
    asked: list[Any] = []
    explain = store.explain
    store.explain = lambda *given: asked.append(given[1]) or explain(*given)  # type: ignore[method-assign,func-returns-value]
    told = [store.check("one.schema.json", document)[0].keyword for document in (5, 6, "a", "b", 7)]
    assert told == ["type", "type", "minLength", "minLength", "type"]
    assert asked == [5, "a"]


def test_a_member_whose_name_is_empty_has_its_place(tmp_path: Path) -> None:
    schema = {
        "$id": "https://s.example/empty",
        "additionalProperties": {"additionalProperties": {"const": 1}},
    }
    (tmp_path / "one.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    store = SchemaStore(tmp_path)
    for _ in range(2):  # by the reference, then by the compiled one alone
        assert [p.pointer for p in store.check("one.schema.json", {"a": {"": 2}})] == ["/a/"]
        assert [p.pointer for p in store.check("one.schema.json", {"": {"b": 2}})] == ["//b"]
        assert [p.pointer for p in store.check("one.schema.json", {"a": {"b": 2}})] == ["/a/b"]


def test_many_missing_and_surplus_members_are_each_told_once(tmp_path: Path) -> None:
    schema = {
        "$id": "https://s.example/one.schema.json",
        "required": ["a", "b", "c"],
        "properties": {"d": {"additionalProperties": False}},
    }
    (tmp_path / "one.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    store, document = SchemaStore(tmp_path), {"d": {"x": 1, "y": 2, "z": 3}}
    found, _ = store.find("one.schema.json", document)
    assert [problem.pointer for problem in found] == ["/a", "/b", "/c", "/d/x", "/d/y", "/d/z"]
    assert found == store.explain("one.schema.json", document)


LONG = "q" * 5_000


@pytest.mark.parametrize(
    "document",
    [
        deployed(event_name=LONG),
        deployed(event_action=LONG),
        deployed(team_id=[LONG]),
        deployed(team_id={LONG[:1_000]: 1}),
        {"context": {"type": LONG}, "subject": {}},
        {"context": {"type": f"dev.cdevents.{LONG}"}, "subject": {}},
        {"context": {"type": f"dev.cdevents.incident.detected.{LONG}"}, "subject": {}},
        {"context": {"type": "dev.cdevents.incident.detected.0.3.0", "source": LONG + " "}, "subject": LONG},
        {"context": {"type": "dev.cdeventsx.a-b.c.1.0.0", LONG[:1_000]: 1}, "subject": {}},
        {"event_type": LONG, "event_id": LONG, "timestamp": LONG},
        {"attributes": {"type": LONG, "status": LONG, "startDate": LONG}, "title": LONG},
        {"incidentId": LONG, "title": LONG, "status": LONG, "services": [LONG]},
    ],
    ids=lambda document: re.sub("q+", "q", str(document)),
)
def test_a_refusal_quotes_at_most_200_characters_of_what_was_sent(door: Door, document: Any) -> None:
    problem = told(door.send(document))
    texts = [problem["detail"], *(error["message"] for error in problem["errors"])]
    assert problem["errors"]
    assert max(len(run) for text in texts for run in re.findall("q*", text)) <= 200


def test_every_problem_of_a_document_is_listed_in_order() -> None:
    found = STORE.check(
        "ctoai/event.schema.json", {"event_name": "build", "event_action": 1, "repo": []}, "/0"
    )
    assert [(problem.pointer, problem.keyword) for problem in found] == [
        ("/0/event_action", "enum"),
        ("/0/event_action", "type"),
        ("/0/repo", "type"),
        ("/0/team_id", "required"),
    ]


def test_a_document_with_a_thousand_problems_is_told_a_hundred() -> None:
    document = deployed() | {"context": {"type": "x"}}
    crowded = {"context": dict.fromkeys((f"m{n}" for n in range(1_000)), 1), "subject": document}
    found = STORE.check("cdevents/dev.cdevents.incident.detected.0.3.0.schema.json", crowded)
    assert len(found) == 100


# -- the start ----------------------------------------------------------------------------------------------

GOOD = {"$id": "https://s.example/good.schema.json", "type": "object"}


def faults(folder: Path, **files: Any) -> tuple[str, ...]:
    """What a start says about these schema files, beside a good one."""
    for name, content in {"good": GOOD, **files}.items():
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / f"{name}.schema.json").write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        SchemaStore(folder)
    return caught.value.faults


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param({"type": "object"}, id="no $id"),
        pytest.param([], id="an array"),
        pytest.param(GOOD | {"$id": "https://s.example/bad", "type": "strng"}, id="no such type"),
        pytest.param(GOOD | {"$id": "https://s.example/bad", "pattern": "("}, id="no pattern"),
        pytest.param(GOOD | {"$id": "https://s.example/bad", "pattern": "a\\Z"}, id="Python's pattern"),
        pytest.param(GOOD | {"$id": "https://s.example/bad", "pattern": "\\p{L}"}, id="not Python's pattern"),
        pytest.param(
            {"$id": "https://s.example/bad", "$ref": "https://example.com/s.json"}, id="far reference"
        ),
        pytest.param({"$id": "https://s.example/bad", "$ref": "missing.schema.json"}, id="missing file"),
        pytest.param({"$id": "https://s.example/bad", "$ref": "#/$defs/nothing"}, id="missing definition"),
        pytest.param({"$id": "https://s.example/bad", "$ref": "file:///etc/passwd"}, id="a file"),
        pytest.param({"$id": "https://s.example/bad", "allOf": [{"$ref": "x.json"}]}, id="in a list"),
        pytest.param(
            {"$id": "https://s.example/bad", "properties": {"a": {"items": {"$ref": "x.json"}}}},
            id="deep inside",
        ),
    ],
)
def test_a_broken_schema_file_stops_the_start_and_is_named(tmp_path: Path, content: Any) -> None:
    (fault,) = faults(tmp_path, bad=content)
    assert fault.startswith("schema bad.schema.json: ")


def test_all_broken_schema_files_are_named_at_once(tmp_path: Path) -> None:
    told_of = faults(tmp_path, bad=b"{", worse={"type": "object"})
    assert [fault.split(": ")[0] for fault in told_of] == [
        "schema bad.schema.json",
        "schema worse.schema.json",
    ]


def test_a_folder_without_schemas_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no schema files"):
        SchemaStore(tmp_path)


def test_the_store_knows_every_file_by_its_path_below_the_folder() -> None:
    names = {path.relative_to(SCHEMAS).as_posix() for path in SCHEMAS.rglob("*.schema.json")}
    assert set(STORE.texts) == names
