"""The contracts are valid by the official schemas, and say what the gateway does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.routing import Rule

from gateway import problems
from gateway.contracts import operations
from gateway.contracts.bundle import component
from gateway.errors import Refusal
from gateway.formats import FORMATS
from gateway.model import Outcome, Record
from gateway.sources.disguises import PLAIN_TEXT
from gateway.web.routes import INTAKES
from tests.door import BATCHED, PROBLEM, STRUCTURED, Door, told
from tests.examples import Example, examples
from tests.keys import SECRETS, credential, guarded, of_every_kind, principal, sha256
from tests.samples import deployed, detected
from tests.terminal import Run

OFFICIAL = Path(__file__).parent / "asyncapi" / "asyncapi-3.0.0.schema.json"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def open_door() -> Door:
    return Door()


@pytest.fixture(scope="module")
def openapi(open_door: Door) -> Json:
    return told(open_door.client.get("/openapi.json"))


@pytest.fixture(scope="module")
def asyncapi(open_door: Door) -> Json:
    return told(open_door.client.get("/asyncapi.json"))


def by(document: Json, schema: Json) -> Draft202012Validator:
    """A validator of a schema that stands in an OpenAPI document."""
    return Draft202012Validator(schema | {"components": document["components"]})


def consumed(document: Json, schema: Json) -> Draft7Validator:
    """A validator of a schema that stands in an AsyncAPI document."""
    return Draft7Validator({"allOf": [schema], "components": document["components"]})


def strings_only(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


def operations_of(document: Json) -> dict[tuple[str, str], Json]:
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


# -- OpenAPI ------------------------------------------------------------------------------------------------


def test_it_is_valid_openapi(openapi: Json) -> None:
    OpenAPIV31SpecValidator(openapi).validate()
    assert openapi["openapi"].startswith("3.1.")


def test_every_route_is_in_it_and_nothing_else(open_door: Door, openapi: Json) -> None:
    def methods(rule: Rule) -> set[str]:
        return (rule.methods or set()) - {"HEAD"}

    rules = list(open_door.gateway.application.url_map.iter_rules())
    routes = {(method, operations.template(rule.rule)) for rule in rules for method in methods(rule)}
    assert set(operations_of(openapi)) == routes


def test_every_operation_has_a_name_of_its_own(openapi: Json) -> None:
    names = [operation["operationId"] for operation in operations_of(openapi).values()]
    assert len(names) == len(set(names))


def test_a_system_that_is_switched_off_is_not_in_it() -> None:
    document = told(Door(systems="ctoai").client.get("/openapi.json"))
    OpenAPIV31SpecValidator(document).validate()
    assert "/events/ibm" not in document["paths"]
    assert not [name for name in document["components"]["schemas"] if name.startswith("ibm")]


def shown(document: Json) -> list[tuple[str, str, str, Json, Json]]:
    """Every example: method, path, media type, schema, and the example itself."""
    return [
        (method, path, media_type, content["schema"], example)
        for (method, path), operation in operations_of(document).items()
        for media_type, content in operation.get("requestBody", {"content": {}})["content"].items()
        for example in content.get("examples", {}).values()
    ]


def marking_headers(path: str, body: Any) -> Json:
    """What GitHub and Sentry say in headers alone, from the request that the example is of."""
    for example in examples("valid"):
        of_the_path = path == f"/events/{example.system}" and example.body_path.suffix == ".json"
        if of_the_path and json.loads(example.body) == body:
            return {name: value for name, value in example.headers.items() if name != "content-type"}
    return {}


def test_every_example_is_valid_and_taken(open_door: Door, openapi: Json) -> None:
    found = shown(openapi)
    assert {one[:2] for one in found} == {(i.method, operations.template(i.rule)) for i in INTAKES}
    for method, path, media_type, schema, example in found:
        body = example["value"]
        assert list(by(openapi, schema).iter_errors(body)) == [], (path, body)
        sent = body.encode() if media_type == PLAIN_TEXT else body
        answer = open_door.send(
            sent,
            path.replace("{resource}", "INC-7"),
            method=method,
            content_type=media_type,
            headers=dict(re.findall(r"`(\S+): ([^`]+)`", example.get("description", ""))),
        )
        assert answer.status_code == 202, (path, answer.text)
        receipts = operations_of(openapi)[method, path]["responses"]["202"]["content"]["application/json"]
        assert list(by(openapi, receipts["schema"]).iter_errors(told(answer))) == []


@pytest.mark.parametrize("example", examples("invalid"), ids=lambda example: example.name)
def test_a_refusal_is_as_it_says(open_door: Door, openapi: Json, example: Example) -> None:
    answer = open_door.client.open(
        example.path, method=example.method, data=example.body, headers=example.headers
    )
    named = openapi["components"]["responses"][f"problem-{answer.status_code}"]
    assert list(by(openapi, named["content"][PROBLEM]["schema"]).iter_errors(told(answer))) == []
    assert set(named["headers"]) <= set(answer.headers.keys())


def test_every_problem_type_that_can_be_met_is_in_it(openapi: Json) -> None:
    told_types = {
        type
        for name, schema in openapi["components"]["schemas"].items()
        if name.startswith("problem-")
        for type in schema["allOf"][1]["properties"]["type"]["enum"]
    }
    of_strangers = {"unauthenticated", "invalid-signature", "stale-signature", "forbidden", "rate-limited"}
    assert told_types == {kind.type for kind in problems.types()} - of_strangers


def test_credentials_are_in_it_where_they_are_demanded(tmp_path: Path) -> None:
    strangers = principal("who-it-is", credential("bearer", "another-secret-0123456789"))
    door = guarded(tmp_path, f"{of_every_kind()}\n{strangers}", rate_limit="600/minute")
    answer = door.client.get("/openapi.json")
    document = told(answer)
    OpenAPIV31SpecValidator(document).validate()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    taking = operations_of(document)["POST", "/events"]
    assert {name for one in taking["security"] for name in one} == set(schemes)
    assert {"401", "403", "429"} <= set(taking["responses"])
    secrets = [*SECRETS.values(), *map(sha256, SECRETS.values()), "who-it-is"]
    assert [secret for secret in secrets if secret in answer.text] == []


def test_a_quarantined_event_is_answered_as_it_says(openapi: Json) -> None:
    answer = Door(quarantine_systems="ctoai").send(deployed(event_action="wobbled"))
    assert (answer.status_code, told(answer)["events"]) == (202, [])
    receipts = {"$ref": f"#/components/schemas/{component('receipts.schema.json')}"}
    assert list(by(openapi, receipts).iter_errors(told(answer))) == []


@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_a_schema_in_it_decides_as_the_file_does(open_door: Door, openapi: Json, kind: str) -> None:
    pipeline = open_door.gateway.pipeline
    checker = FormatChecker(formats=())
    for name, check in FORMATS.items():
        checker.checks(name)(strings_only(check))
    decided = 0
    for example in examples(kind):
        try:
            members = list(pipeline.reader.read(example.message()).members)
            documents = [one for one in members if not isinstance(one, Refusal)]
            chosen = [(pipeline.sources.recognise(one), one) for one in documents]
            named = [(s.fold(one.data), s.schema(one)) for s, one in chosen]
        except Refusal:
            continue
        for data, name in named:
            schema = {"$ref": f"#/components/schemas/{component(name)}"}
            own = Draft202012Validator(schema | {"components": openapi["components"]}, format_checker=checker)
            assert own.is_valid(data) == pipeline.schemas.is_valid(name, data), example.name
            decided += 1
    assert decided > 50


# -- AsyncAPI -----------------------------------------------------------------------------------------------


def assert_is_asyncapi(document: Json) -> None:
    official = json.loads(OFFICIAL.read_text(encoding="utf-8"))
    assert [error.message[:300] for error in Draft7Validator(official).iter_errors(document)] == []


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"content_mode": "structured"}, id="structured"),
        pytest.param({"topic_template": "{prefix}.{subject}"}, id="a topic for each subject"),
        pytest.param({"dead_letters": "false", "systems": "ibm"}, id="one system"),
        pytest.param(
            {
                "kafka_bootstrap_servers": "a.example:9092,b.example:9093",
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": "SCRAM-SHA-512",
                "kafka_sasl_username": "who-it-is",
                "kafka_sasl_password": "not-to-be-told",
                "topic_partitions": "12",
                "topic_replication": "3",
            },
            id="kafka",
        ),
    ],
)
@pytest.mark.parametrize("show_brokers", ["false", "true"])
def test_it_is_valid_asyncapi_with_the_declared_topics(chosen: dict[str, str], show_brokers: str) -> None:
    door = Door(**chosen, show_brokers=show_brokers)
    answer = door.client.get("/asyncapi.json")
    document = told(answer)
    assert_is_asyncapi(document)
    assert tuple(sorted(document["channels"])) == door.gateway.router.topics()
    assert "not-to-be-told" not in answer.text
    assert "who-it-is" not in answer.text
    assert ("a.example:9092" in answer.text) == (len(chosen) == 7 and show_brokers == "true")


def messages_of(document: Json, topic: str) -> list[Json]:
    names = document["channels"][topic]["messages"]
    return [document["components"]["messages"][name] for name in names]


def headers_of(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


def fitting(document: Json, record: Record) -> list[Json]:
    """The messages of its topic that a record is one of."""
    value = json.loads(record.value)
    return [
        message
        for message in messages_of(document, record.topic)
        if consumed(document, message["headers"]).is_valid(headers_of(record))
        and consumed(document, message["payload"]).is_valid(value)
    ]


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_every_record_is_exactly_one_of_the_messages_of_its_topic(mode: str) -> None:
    door = Door(content_mode=mode, topic_template="{prefix}.{subject}")
    document = told(door.client.get("/asyncapi.json"))
    for example in examples("valid"):
        door.client.open(example.path, method=example.method, data=example.body, headers=example.headers)
    door.send(b"{")
    records = door.publisher.records
    assert len(records) > 150
    assert {r.topic for r in records} >= {"events.custom", "events.deadletter", "events.incident"}
    assert [record for record in records if len(fitting(document, record)) != 1] == []


def test_every_example_of_a_message_is_one(asyncapi: Json) -> None:
    shown = 0
    for message in asyncapi["components"]["messages"].values():
        for example in message.get("examples", ()):
            shown += 1
            assert consumed(asyncapi, message["headers"]).is_valid(example["headers"])
            assert list(consumed(asyncapi, message["payload"]).iter_errors(example["payload"])) == []
    assert shown > 80


# -- catalogue and samples ----------------------------------------------------------------------------------


def test_the_catalogue_has_every_topic_and_who_can_give_its_events(open_door: Door) -> None:
    catalogue = told(open_door.client.get("/topics.json"))["topics"]
    assert tuple(topic["topic"] for topic in catalogue) == open_door.gateway.router.topics()
    (detected,) = (topic for topic in catalogue if topic["topic"] == "events.incident.detected")
    assert detected["schema"] == "/schemas/envelope.schema.json"
    (event,) = detected["events"]
    assert (event["subject"], event["predicate"], event["vocabulary"]) == ("incident", "detected", "cdevents")
    assert event["type"] == "dev.cloudevents-gateway.incident.detected.v1"
    assert set(event["systems"]) == {
        source.name
        for source in open_door.gateway.pipeline.sources
        if ("incident", "detected") in source.pairs()
    }
    assert {"cdevents", "ctoai", "alertmanager"} <= set(event["systems"])
    assert {topic["kind"] for topic in catalogue} == {"events", "open-ended", "dead-letters"}


def test_every_event_of_the_catalogue_has_a_sample_from_each_system(open_door: Door) -> None:
    catalogue = told(open_door.client.get("/topics.json"))["topics"]
    without = [
        f"{system}/{event['subject']}.{event['predicate']}"
        for topic in catalogue
        for event in topic["events"]
        for system in event["systems"]
        if not [name for name in event["samples"] if name.startswith(f"/samples/{system}/")]
    ]
    assert without == []


def test_a_sample_is_what_comes_out(open_door: Door) -> None:
    listed = told(open_door.client.get("/samples/"))["samples"]
    assert len(listed) > 80
    for path in listed:
        sample = told(open_door.client.get(path))
        sent, record = sample["request"], sample["record"]
        open_door.publisher.forget()
        answer = open_door.client.open(
            sent["path"], method=sent["method"], headers=sent["headers"], data=json.dumps(sent["body"])
        )
        assert answer.status_code == 202, path
        (came,) = [r for r in open_door.published if r.topic == record["topic"]][:1]
        value = json.loads(came.value)
        assert (value["subject"]["type"], value["predicate"]) == (
            record["value"]["subject"]["type"],
            record["value"]["predicate"],
        )
        assert value["details"] == record["value"]["details"]
        assert headers_of(came)["ce_type"] == record["headers"]["ce_type"]


def test_a_sample_that_does_not_exist_is_not_found(open_door: Door) -> None:
    answer = open_door.client.get("/samples/ctoai/nothing")
    assert (answer.status_code, told(answer)["type"]) == (404, "not-found")


# -- the page -----------------------------------------------------------------------------------------------


def test_the_page_runs_nothing_and_fetches_nothing(open_door: Door) -> None:
    answer = open_door.client.get("/docs")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    for element in ("<script", "<link", "<img", "<iframe", "<form", " style=", " onclick", "@import", "url("):
        assert element not in answer.text


def test_the_page_has_every_route_problem_topic_sample_and_schema(open_door: Door) -> None:
    text = open_door.client.get("/docs").text
    for kind in problems.types():
        assert f'id="problem-{kind.type}"' in text
    for topic in open_door.gateway.router.topics():
        assert f'id="topic-{topic}"' in text
    for name in open_door.gateway.contracts.samples:
        assert f'id="sample-{name}"' in text
    for name in open_door.gateway.schemas.texts:
        assert f"<code>{name}</code>" in text
    for intake in INTAKES:
        assert f"<code>{intake.method} {intake.rule.replace('<', '&lt;').replace('>', '&gt;')}</code>" in text


def test_every_link_of_the_page_leads_somewhere(open_door: Door) -> None:
    text = open_door.client.get("/docs").text
    links = set(re.findall(r'href="([^"]+)"', text))
    assert len(links) > 100
    for link in links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text, link
        else:
            assert open_door.client.get(f"/{link}").status_code == 200, link


def test_a_host_that_is_none_does_not_get_into_a_command(open_door: Door) -> None:
    good = open_door.client.get("/docs", headers={"Host": "events.example:8443"}).text
    assert "curl http://events.example:8443/events" in good
    bad = open_door.client.get("/docs", headers={"Host": "x;rm -rf"})
    assert "rm -rf" not in bad.text


# -- the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_a_command_prints_the_served_document(run: Run, open_door: Door, name: str) -> None:
    assert json.loads(run(name).output) == told(open_door.client.get(f"/{name}.json"))


def test_topics_prints_the_catalogue(run: Run, open_door: Door) -> None:
    assert json.loads(run("topics", "--json").output) == told(open_door.client.get("/topics.json"))
    lines = run("topics", "--long").output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(open_door.gateway.router.topics())
    assert any(
        line.split()[:4] == ["events.incident.detected", "incident", "detected", "cdevents"] for line in lines
    )


def test_a_record_has_the_outcome_that_the_receipt_tells(openapi: Json) -> None:
    outcomes = openapi["components"]["schemas"]["receipts"]["$defs"]["outcome"]["enum"]
    assert outcomes == [Outcome.PUBLISHED.value, Outcome.SPOOLED.value]


@pytest.mark.parametrize("media_type", [STRUCTURED, BATCHED])
def test_a_cloudevent_is_described_with_its_data(openapi: Json, media_type: str) -> None:
    schema = operations_of(openapi)["POST", "/events/cdevents"]["requestBody"]["content"][media_type][
        "schema"
    ]
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": detected()}
    wrong = event | {"data": {"context": {}}}
    batched = media_type == BATCHED
    assert by(openapi, schema).is_valid([event] if batched else event)
    assert not by(openapi, schema).is_valid([wrong] if batched else wrong)
