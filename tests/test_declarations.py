"""Declared systems: what their files may say, how each fault in them is told, and what comes of documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import settings as settings_module
from gateway import starting
from gateway.errors import Refusal, SettingsError
from gateway.model import Message
from gateway.schemas import MAPPING, SchemaStore, folder
from gateway.sources import Sources
from gateway.sources.mapped import Mapped
from gateway.sources.picks import TRANSFORMS, Scene, compile_pick
from tests.consumer_schemas import assert_is_envelope
from tests.door import Door, envelope, pointers, told
from tests.examples import MAPPINGS, RECEIVED
from tests.keys import hashed, principal
from tests.samples import Json, deployed, incident
from tests.terminal import Run

SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.test/any.json"}
HEAD = """
title = "Pumps"
schema = "pumps.schema.json"
"""
REST = """
[recognise]
members = { "/kind" = "pump" }
[subject]
id = "/pump"
[predicate]
from = "/state"
values = { dry = "incident.detected", wet = "incident.resolved", moved = "pump.moved" }
"""
PUMP = {"kind": "pump", "pump": "p1", "state": "dry"}
GROUP = """
each = "/a/pumps"
id = "/no"
time = "#/at"
"""
PUMPS: Json = {
    "kind": "pump",
    "at": "2026-05-04T10:00:00Z",
    "a": {
        "x": 1.50,
        "pumps": [{"pump": "p1", "state": "dry", "no": 1}, {"pump": "p2", "state": "wet", "no": 2}],
    },
}


def declare(
    folder: Path, more: str = "", rest: str = REST, name: str = "pumps", schema: Any = SCHEMA
) -> Path:
    """A folder with one declaration; ``more`` stands before its tables."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(HEAD + more + rest, encoding="utf-8")
    text = schema if isinstance(schema, str) else json.dumps(schema)
    (folder / "pumps.schema.json").write_text(text, encoding="utf-8")
    return folder


def pumps(folder: Path, more: str = "", rest: str = REST, **chosen: str) -> Door:
    return Door(
        **{"systems": "ctoai,pumps", "mappings_dir": str(declare(folder / "mappings", more, rest))} | chosen
    )


def faults(folder: Path, **chosen: str) -> list[str]:
    chosen = {"mappings_dir": str(folder)} | chosen
    with pytest.raises(SettingsError) as caught:
        starting.check(settings_module.load({settings_module.variable(n): v for n, v in chosen.items()}))
    return list(caught.value.faults)


def published(door: Door, document: Any = PUMP, **headers: str) -> Json:
    answer = door.send(document, "/events/pumps", headers=headers)
    assert answer.status_code == 202, answer.json
    return envelope(door.published[-1])


def refused(door: Door, document: Any) -> tuple[int, list[str]]:
    answer = door.send(document, "/events/pumps")
    return answer.status_code, pointers(answer)


# -- what comes out -----------------------------------------------------------------------------------------


def test_the_least_declaration_takes_events(tmp_path: Path) -> None:
    door = pumps(tmp_path)
    found = published(door)
    assert (found["subject"], found["predicate"]) == ({"type": "incident", "id": "p1"}, "detected")
    assert door.published[0].topic == "events.incident.detected"
    assert door.published[0].source == "/pumps"
    assert found["time"] == found["receivedTime"]


@pytest.mark.parametrize("state", ["dry", "DRY", "Dry"])
def test_words_are_compared_without_regard_to_case(tmp_path: Path, state: str) -> None:
    assert published(pumps(tmp_path), PUMP | {"state": state})["predicate"] == "detected"


@pytest.mark.parametrize("state", ["resolved", "Resolved", "wet!", "closed", "ok", "wet dry"])
def test_a_word_that_is_not_declared_keeps_itself_and_resolves_nothing(tmp_path: Path, state: str) -> None:
    door = pumps(tmp_path)
    assert published(door, PUMP | {"state": state})["vocabulary"] == "custom"
    assert door.published[0].topic == "events.custom"


def test_the_noun_of_such_words_can_be_declared(tmp_path: Path) -> None:
    door = pumps(tmp_path, rest=REST.replace("[subject]", '[subject]\ntype = "pump"'))
    assert published(door, PUMP | {"state": "Was Moved"})["subject"]["type"] == "pump"
    assert envelope(door.published[0])["predicate"] == "was_moved"


def test_every_pair_that_is_declared_has_a_topic_at_start(tmp_path: Path) -> None:
    names = ("custom", "deadletter", "incident.detected", "incident.resolved", "pump.moved")
    topics = pumps(tmp_path, systems="pumps").gateway.router.topics()
    assert list(topics) == [f"events.{name}" for name in names]


DETAILS = """
[details]
description = "/d"
environment = { const = "live" }
service = ["/none", "/empty", "/s"]
artifactId = "/a"
ticketUri = "/u"
severity = { from = "/sev", transform = "lower" }
priority = "/n"
outcome = { join = ["/s", { const = "x" }, "/none", { from = "/sev", transform = "lower" }], with = "-" }
actor = "/b"
url = "/s"
[labels]
one = "/n"
none = "/none"
"*" = "/labels"
"""


def test_the_fields_that_senders_share_are_picked(tmp_path: Path) -> None:
    more = {"d": "Dry!", "empty": "", "s": "shop", "a": "art", "u": "https://x.test/1", "sev": "HIGH", "n": 3}
    document = PUMP | more | {"b": True, "labels": {"team": "core", "deep": {"no": 1}, "size": 2.0}}
    found = published(pumps(tmp_path, rest=REST + DETAILS), document)["details"]
    assert found == {
        "description": "Dry!",
        "environment": {"id": "live"},
        "service": {"id": "shop"},
        "artifactId": "art",
        "ticketUri": "https://x.test/1",
        "severity": "high",
        "priority": "3",
        "outcome": "shop-x-high",
        "labels": {"one": "3", "team": "core", "size": "2"},
    }


def test_a_list_of_names_and_values_makes_labels(tmp_path: Path) -> None:
    door = pumps(tmp_path, rest=f'{REST}[labels]\n"*" = {{ from = "/tags", transform = "split_comma" }}\n')
    found = published(door, PUMP | {"tags": "env:live, team: core ,bare,:no,url:https://x"})
    assert found["details"]["labels"] == {"env": "live", "team": "core", "url": "https://x"}


@pytest.mark.parametrize(
    ("transform", "given", "made"),
    [
        ("epoch_s", 1777888800, "2026-05-04T10:00:00Z"),
        ("epoch_s", "1777888800.25", "2026-05-04T10:00:00.25Z"),
        ("epoch_ms", 1777888800123, "2026-05-04T10:00:00.123Z"),
        ("epoch_ms", "1777888800000", "2026-05-04T10:00:00Z"),
        ("utc_naive", "2026-05-04 10:00:00.5", "2026-05-04T10:00:00.5Z"),
        ("offset_nocolon", "2026-05-04T12:00:00+0200", "2026-05-04T10:00:00Z"),
        ("json_string", '{"a": [1]}', {"a": [1]}),
        ("lower", "HIGH", "high"),
        ("split_comma", "a, b", ["a", "b"]),
        ("host_of", "https://kim:pw@host.test:8443/a?b#c", "https://host.test:8443"),
    ],
)
def test_a_transform_gives(transform: str, given: Any, made: Any) -> None:
    assert compile_pick({"from": "/a", "transform": transform})(Scene({"a": given}, {})) == made


def test_every_transform_of_the_schema_is_there_and_on_the_page() -> None:
    schema = json.loads((folder() / MAPPING).read_bytes())
    assert schema["$defs"]["transformed"]["properties"]["transform"]["enum"] == list(TRANSFORMS)
    page = (MAPPINGS.parent.parent / "docs" / "mappings.md").read_text(encoding="utf-8")
    assert [name for name in TRANSFORMS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("pointer", ["/a/0", "/a/-", "/b/-", "/b/9", "/b/00", "/b/x", "/c/d", "/nothing"])
def test_a_pointer_leads_into_objects_and_arrays_and_nowhere_else(pointer: str) -> None:
    assert compile_pick(pointer)(Scene({"a": "text", "b": [1], "c": None}, {})) is None


def test_a_pointer_unescapes() -> None:
    assert compile_pick("/a~1b/~0/1")(Scene({"a/b": {"~": [0, 7]}}, {})) == 7


def test_json_inside_a_string_is_looked_into() -> None:
    pick = compile_pick({"from": "/m", "transform": "json_string", "at": "/x/0"})
    assert pick(Scene({"m": '{"x": [5]}'}, {})) == 5


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", sorted(set(TRANSFORMS) - {"lower", "split_comma"}))
@pytest.mark.parametrize(
    "value", ["no such thing", True, [], {}, -1, "1_0", "\u0661", 10**40, "\ud800"], ids=repr
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: Path, transform: str, value: Any) -> None:
    pick = compile_pick({"from": ["/none", "/at"], "transform": transform})
    try:
        made = pick(Scene({"at": value}, {}, "/7", ""))
    except Refusal as refusal:
        assert (refusal.status, [p.pointer for p in refusal.problems]) == (422, ["/7/at"])
    else:
        assert (transform, made) in [("json_string", -1), ("json_string", 10**40)]


@pytest.mark.parametrize(
    "value", ["yesterday", "2026-05-04 10:00:00", 1777888800, [], {}, True, "2026-13-01T00:00:00Z"]
)
def test_a_time_that_is_none_is_told_with_its_place(tmp_path: Path, value: Any) -> None:
    assert refused(pumps(tmp_path, 'time = ["/none", "/at"]'), PUMP | {"at": value}) == (422, ["/at"])


@pytest.mark.parametrize("value", ["not a uri", "https://exa mple", "\\\\x", "a b"])
def test_a_source_that_is_no_uri_is_told_with_its_place(tmp_path: Path, value: str) -> None:
    assert refused(pumps(tmp_path, 'source = "/from"'), PUMP | {"from": value}) == (422, ["/from"])


@pytest.mark.parametrize("missing", ["pump", "state"])
@pytest.mark.parametrize("value", [None, "", [], True, {}])
def test_without_a_subject_or_a_predicate_there_is_no_event(tmp_path: Path, missing: str, value: Any) -> None:
    assert refused(pumps(tmp_path), PUMP | {missing: value}) == (422, [f"/{missing}"])


# -- groups -------------------------------------------------------------------------------------------------


def test_each_item_is_an_event_with_the_document_cut_to_it(tmp_path: Path) -> None:
    door = pumps(tmp_path, GROUP)
    answer = door.send(json.dumps(PUMPS).replace("1.5", "1.50").encode(), "/events/pumps")
    assert [(one["id"], one["predicate"]) for one in told(answer)["events"]] == [
        ("1", "detected"),
        ("2", "resolved"),
    ]
    assert envelope(door.published[1])["payload"] == {
        **PUMPS,
        "a": {"x": 1.5, "pumps": [PUMPS["a"]["pumps"][1]]},
    }
    assert b"1.50" in door.published[1].value
    assert envelope(door.published[1])["time"] == PUMPS["at"]


def test_one_bad_item_refuses_all_with_its_place(tmp_path: Path) -> None:
    bad = json.loads(json.dumps(PUMPS))
    bad["a"]["pumps"] += [{"state": "dry"}, 7]
    door = pumps(tmp_path, GROUP)
    assert refused(door, bad) == (422, ["/a/pumps/2/pump", "/a/pumps/3/pump", "/a/pumps/3/state"])
    assert door.published == []


def test_what_is_wrong_with_the_whole_is_told_where_it_is(tmp_path: Path) -> None:
    status, places = refused(pumps(tmp_path, GROUP), PUMPS | {"at": "soon"})
    assert (status, set(places)) == (422, {"/at"})


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "/a"),
        ([], "/a"),
        ({"a": 1}, "/a/pumps"),
        ({"a": {"pumps": {}}}, "/a/pumps"),
        ({"a": {}}, "/a/pumps"),
    ],
)
def test_a_group_without_its_array_is_refused(tmp_path: Path, document: Any, place: str) -> None:
    assert refused(pumps(tmp_path, GROUP), document) == (422, [place])


def test_an_empty_group_is_no_event(tmp_path: Path) -> None:
    answer = pumps(tmp_path, GROUP).send({"a": {"pumps": []}}, "/events/pumps")
    assert (answer.status_code, told(answer)) == (202, {"events": []})


# -- identity -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ['id = "/state"', 'time = "/at"'])
def test_what_is_sent_again_has_the_same_id(tmp_path: Path, more: str) -> None:
    door = pumps(tmp_path, more)
    for _ in range(2):
        published(door, PUMP | {"at": "2026-05-04T10:00:00Z"})
    assert door.published[0].id == door.published[1].id


def test_a_delivery_id_tells_repeats(tmp_path: Path) -> None:
    door = pumps(tmp_path)
    for delivery in ("d1", "d1", "d2"):
        published(door, **{"X-Delivery-Id": delivery})
    assert [record.id for record in door.published] == ["d1", "d1", "d2"]


# -- recognition --------------------------------------------------------------------------------------------


def test_members_are_marks(tmp_path: Path) -> None:
    door = pumps(tmp_path)
    assert door.send(PUMP).status_code == 202
    assert told(door.send(PUMP | {"kind": "fan"}))["type"] == "unrecognised"
    assert told(door.send(PUMP | {"kind": ["pump"]}))["type"] == "unrecognised"


@pytest.mark.parametrize("value", [True, 1.0, "1"])
def test_a_mark_is_of_its_own_type(tmp_path: Path, value: Any) -> None:
    rest = REST.replace('"/kind" = "pump"', '"/kind" = 1')
    assert told(pumps(tmp_path, rest=rest).send(PUMP | {"kind": value}))["type"] == "unrecognised"


def test_headers_are_marks_beside_members(tmp_path: Path) -> None:
    rest = REST.replace("[recognise]", '[recognise]\nheaders = { "x-pump" = "1" }')
    door = pumps(tmp_path, rest=rest)
    assert door.send(PUMP, headers={"X-Pump": "1"}).status_code == 202
    assert told(door.send(PUMP))["type"] == "unrecognised"
    assert "the header x-pump: 1 and /kind = 'pump'" in told(door.send({}))["errors"][0]["message"]


def test_the_marks_of_two_systems_are_refused_and_both_named(tmp_path: Path) -> None:
    answer = pumps(tmp_path).send(deployed() | PUMP)
    assert told(answer)["type"] == "ambiguous-dialect"
    assert "ctoai and pumps" in told(answer)["detail"]


# -- the rest of the gateway --------------------------------------------------------------------------------


def test_credentials_and_quarantine_can_name_it(tmp_path: Path) -> None:
    file = guarded_file(tmp_path, "pumps")
    door = pumps(tmp_path, credentials_file=str(file), quarantine_systems="pumps")
    key = {"X-Api-Key": "canary-apikey-0123456789"}
    assert door.send(PUMP, "/events/pumps", headers=key).status_code == 202
    assert door.send(deployed(), headers=key).status_code == 403
    assert door.send({}, "/events/pumps", headers=key).status_code == 202  # kept
    assert len(door.dead_letters) == 1


def guarded_file(folder: Path, system: str) -> Path:
    path = folder / "credentials.toml"
    path.write_text(principal("pump", hashed("api-key", "canary-apikey-0123456789"), systems=[system]))
    path.chmod(0o600)
    return path


def test_what_is_checked_before_serving_knows_it(tmp_path: Path) -> None:
    mappings = declare(tmp_path / "mappings")
    environ = {
        "GATEWAY_MAPPINGS_DIR": str(mappings),
        "GATEWAY_CREDENTIALS_FILE": str(guarded_file(tmp_path, "pumps")),
    }
    checked = starting.check(settings_module.load(environ))
    assert checked.credentials is not None
    assert checked.mappings is not None
    guarded_file(tmp_path, "pumpz")
    with pytest.raises(SettingsError, match="did you mean pumps"):
        starting.check(settings_module.load(environ))


def test_a_worker_that_is_started_anew_reads_no_file_again(tmp_path: Path) -> None:
    mappings = declare(tmp_path / "mappings")
    chosen = settings_module.load(
        {"GATEWAY_MAPPINGS_DIR": str(mappings), "GATEWAY_DATA_DIR": str(tmp_path / "data")}
    )
    checked = starting.check(chosen)
    (mappings / "pumps.toml").write_text("somebody is in the mid")
    gateway = starting.start(chosen, checked)
    gateway.publisher.close()
    assert "pumps" in [source.name for source in gateway.pipeline.sources]


def test_it_is_counted_under_its_name(tmp_path: Path) -> None:
    door = pumps(tmp_path)
    published(door)
    assert 'gateway_events_total{outcome="published",reason="",system="pumps"} 1.0' in (
        door.client.get("/metrics").text
    )


def test_it_is_in_every_contract(tmp_path: Path) -> None:
    examples = tmp_path / "mappings" / "pumps" / "examples" / "valid"
    examples.mkdir(parents=True)
    (examples / "dry.json").write_text(json.dumps(PUMP))
    (examples / "faulty.json").write_text("{")
    door = pumps(tmp_path)
    assert "/events/pumps" in told(door.client.get("/openapi.json"))["paths"]
    assert "Pumps" in door.client.get("/docs").text
    sample = told(door.client.get("/samples/pumps/incident.detected"))
    assert (sample["request"]["path"], sample["request"]["body"]) == ("/events/pumps", PUMP)
    assert told(door.client.get("/schemas/mappings/pumps.schema.json")) == SCHEMA


def test_the_command_line_knows_it(run: Run, tmp_path: Path) -> None:
    mappings = str(declare(tmp_path / "mappings"))
    payload = tmp_path / "pump.json"
    payload.write_text(json.dumps(PUMP))
    for command in ("check", "explain"):
        result = run(command, payload, "--system", "pumps", mappings_dir=mappings)
        assert (result.exit_code, "events.incident.detected" in result.stdout) == (0, True)
    made = run("credentials", "new", "p", "--system", "pumps", mappings_dir=mappings)
    assert 'systems = ["pumps"]' in made.stdout
    assert run("replay", "--system", "pumps", mappings_dir=mappings).exit_code == 0
    assert run("check", payload, "--system", "pumps").exit_code == 2


def test_the_command_line_knows_it_from_the_file_of_settings_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'mappings_dir = "{declare(tmp_path / "mappings")}"')
    monkeypatch.setenv("GATEWAY_CONFIG", str(config))
    assert run("credentials", "new", "p", "--system", "pumps").exit_code == 0


def test_a_dead_letter_of_it_is_replayed_with_the_header_that_marks_it(run: Run, tmp_path: Path) -> None:
    rest = REST.replace('members = { "/kind" = "pump" }', 'headers = { "x-pump" = "1" }')
    chosen = {
        "mappings_dir": str(
            declare(tmp_path / "mappings", rest=rest, schema=SCHEMA | {"required": ["later"]})
        ),
        "data_dir": str(tmp_path / "data"),
    }
    environ = {settings_module.variable(name): value for name, value in chosen.items()}
    loaded = settings_module.load(environ)
    gateway = starting.start(loaded, starting.check(loaded))
    sent = gateway.application.test_client().post(
        "/events", json=PUMP, headers={"X-Pump": "1", "X-Secret": "s3cret"}
    )
    gateway.publisher.close()
    assert sent.status_code == 422
    assert "refused again 1" in run("replay", "--system", "pumps", **chosen).stdout
    declare(tmp_path / "mappings", rest=rest)
    result = run("replay", "--system", "pumps", **chosen)
    assert (result.exit_code, "published 1, refused again 0" in result.stdout) == (0, True), result.output


# -- gateway map --------------------------------------------------------------------------------------------


def test_map_shows_what_a_declaration_makes(run: Run, tmp_path: Path) -> None:
    declare(tmp_path / "mappings", GROUP)
    payload = tmp_path / "pumps.json"
    payload.write_text(json.dumps(PUMPS))
    result = run("map", tmp_path / "mappings" / "pumps.toml", payload)
    first, second = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 0
    assert (first["topic"], second["key"]) == ("events.incident.detected", "incident/p2")
    assert second["envelope"]["predicate"] == "resolved"


def test_map_tells_every_problem(run: Run, tmp_path: Path) -> None:
    declare(tmp_path / "mappings", schema=SCHEMA | {"required": ["pump", "state"]})
    payload = tmp_path / "pump.json"
    payload.write_text("{}")
    result = run("map", tmp_path / "mappings" / "pumps.toml", payload)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1:] == [
        "  /pump: is required [required]",
        "  /state: is required [required]",
    ]


def test_map_tells_what_is_wrong_with_the_declaration(run: Run, tmp_path: Path) -> None:
    declare(tmp_path / "mappings", 'titel = "x"')
    payload = tmp_path / "pump.json"
    payload.write_text("{}")
    result = run("map", tmp_path / "mappings" / "pumps.toml", payload)
    assert isinstance(result.exception, SettingsError)
    (fault,) = result.exception.faults
    assert fault.startswith(f"{tmp_path / 'mappings' / 'pumps.toml'}: /titel: is not allowed here")


# -- faults of the files ------------------------------------------------------------------------------------


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    declare(tmp_path, 'time = { from = "at", transform = "epoch" }', rest=REST.replace('id = "/pump"', ""))
    (tmp_path / "fans.toml").write_text("title = ")
    (tmp_path / "vents.toml").write_text('schema = "vents.schema.json"')
    (tmp_path / "other.schema.json").write_text("{")
    (tmp_path / "more.schema.json").write_text(json.dumps({"$id": "https://x.test/m", "type": "objekt"}))
    found = faults(tmp_path)
    for start in (
        f"{tmp_path}/pumps.toml: /subject/id: is required",
        f"{tmp_path}/pumps.toml: /time: ",
        f"{tmp_path}/fans.toml: is not TOML",
        f"{tmp_path}/vents.toml: /recognise: is required",
        f"{tmp_path}/vents.toml: /schema: there is no file vents.schema.json beside it",
        "schema mappings/other.schema.json: JSONDecodeError",
    ):
        assert [fault for fault in found if fault.startswith(start)], (start, found)


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ("[]", "TypeError"),
        ("nul", "JSONDecodeError"),
        ({}, "KeyError: '$id'"),
        (SCHEMA | {"$id": 7}, "its $id is no absolute URI"),
        (SCHEMA | {"$id": "pumps"}, "its $id is no absolute URI"),
        (SCHEMA | {"$id": "https://cloudevents-gateway.dev/schemas/envelope.schema.json"}, "has the $id of"),
        (SCHEMA | {"properties": {"a": {"type": "objekt"}}}, "/properties/a/type"),
        (SCHEMA | {"$ref": "https://elsewhere.test/x.json"}, "https://elsewhere.test/x.json"),
        (SCHEMA | {"$ref": "#/$defs/none"}, "Unresolvable"),
        (SCHEMA | {"$ref": "file:///etc/passwd"}, "Unresolvable"),
        (SCHEMA | {"properties": {"a": {"pattern": "("}}}, "mappings/pumps.schema.json"),
        (SCHEMA | {"patternProperties": {"(": {}}}, "mappings/pumps.schema.json"),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_used_stops_the_start(tmp_path: Path, schema: Any, fault: str) -> None:
    (told,) = faults(declare(tmp_path, schema=schema))
    assert told.startswith("schema mappings/pumps.schema.json")
    assert fault in told or "ointerToNowhere" in told


FAULTY = {
    "nothing to recognise it by": REST.replace('members = { "/kind" = "pump" }', ""),
    "no values": REST.replace(
        'dry = "incident.detected", wet = "incident.resolved", moved = "pump.moved"', ""
    ),
    "a value that is no pair": REST.replace("pump.moved", "moved"),
    "a pair that makes no topic": REST.replace("pump.moved", "Pump.Moved!"),
    "two values that differ in case": REST.replace("moved =", "DRY ="),
    "a pointer without a slash": REST.replace("/pump", "pump"),
    "a pointer that escapes nothing": REST.replace("/pump", "/pump~2"),
    "a mark that is a list": REST.replace('"/kind" = "pump"', '"/kind" = []'),
    "a header in capitals": REST.replace('members = { "/kind"', 'headers = { "X-Pump"'),
    "a detail that is none": f'{REST}[details]\nservise = "/s"\n',
    "a const that is empty": f'{REST}[details]\nservice = {{ const = "" }}\n',
    "a join in a join": f'{REST}[details]\nservice = {{ join = [{{ join = ["/s"] }}] }}\n',
    "a date": f"{REST}[details]\nservice = 2026-05-04\n",
    "a number that JSON has not": f"{REST}[details]\nservice = nan\n",
}


@pytest.mark.parametrize("rest", FAULTY.values(), ids=FAULTY)
def test_a_declaration_that_cannot_be_used_stops_the_start(tmp_path: Path, rest: str) -> None:
    found = faults(declare(tmp_path, rest=rest))
    assert found
    assert all(fault.startswith(f"{tmp_path}/pumps.toml: ") for fault in found)


@pytest.mark.parametrize("name", ["ctoai", "all", "unknown", "Pumps", "1pump", "p" * 33, "pu_mps", "pu mps"])
def test_a_name_that_is_taken_or_cannot_be_stops_the_start(tmp_path: Path, name: str) -> None:
    (told,) = faults(declare(tmp_path, name=name))
    assert f"called '{name}'" in told


def test_a_declaration_that_is_not_switched_on_is_not_looked_into(tmp_path: Path) -> None:
    declare(tmp_path)
    (tmp_path / "fans.toml").write_text("title = ")
    assert Door(mappings_dir=str(tmp_path), systems="pumps").send(PUMP).status_code == 202


def test_a_folder_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(SettingsError, match="GATEWAY_MAPPINGS_DIR"):
        settings_module.load({"GATEWAY_MAPPINGS_DIR": "/nowhere/at/all"})


def test_a_schema_with_alternatives_leaves_the_quick_validators_of_others_alone(tmp_path: Path) -> None:
    turned = SCHEMA | {
        "not": {"properties": {"at": {"format": "date-time"}, "x": {"const": 1}}, "required": ["x"]}
    }
    text = {"mappings/pumps.schema.json": json.dumps(turned).encode()}
    store = SchemaStore(folder(), more=text)
    assert store.is_valid("mappings/pumps.schema.json", {"x": 1, "at": "no time"})
    assert not store.is_valid("mappings/pumps.schema.json", {"x": 1, "at": "2026-05-04T10:00:00Z"})


# -- hostile input ------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "0", "-", "é~/", "state"])
POINTERS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda parts: "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)
)
ANYWHERE = st.one_of(POINTERS, POINTERS.map(lambda pointer: f"#{pointer}"))
SEVERAL = st.one_of(ANYWHERE, st.lists(ANYWHERE, min_size=1, max_size=3))
TRANSFORMED = st.fixed_dictionaries(
    {"from": SEVERAL, "transform": st.sampled_from(sorted(TRANSFORMS))}, optional={"at": POINTERS}
)
CONSTANT = st.fixed_dictionaries({"const": st.text("ab:/ ", min_size=1, max_size=4)})
JOINED = st.fixed_dictionaries(
    {"join": st.lists(st.one_of(ANYWHERE, CONSTANT, TRANSFORMED), min_size=1, max_size=3)},
    optional={"with": st.just(":")},
)
PICKS = st.one_of(SEVERAL, CONSTANT, TRANSFORMED, JOINED)
DECLARATIONS = st.fixed_dictionaries(
    {
        "title": st.just("Any"),
        "schema": st.just("pumps.schema.json"),
        "recognise": st.fixed_dictionaries({"members": st.dictionaries(POINTERS, st.just("a"), min_size=1)}),
        "subject": st.fixed_dictionaries({"id": PICKS}),
        "predicate": st.fixed_dictionaries({"from": PICKS, "values": st.just({"a": "incident.resolved"})}),
    },
    optional={
        "each": POINTERS,
        "id": PICKS,
        "source": PICKS,
        "time": PICKS,
        "details": st.fixed_dictionaries({}, optional=dict.fromkeys(("url", "service", "actor"), PICKS)),
        "labels": st.dictionaries(st.sampled_from(["*", "x"]), PICKS),
    },
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["1777888800", "2026-05-04T10:00:00Z", "https://x.test/", '{"a": 1}', "a,b:c", "a"]),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def any_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    yield pumps(tmp_path_factory.mktemp("any"), systems="pumps")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(DECLARATIONS, DOCUMENTS)
def test_no_document_does_more_to_any_declaration_than_be_refused(
    any_door: Door, declared: Json, document: Any
) -> None:
    pipeline = any_door.gateway.pipeline
    assert pipeline.schemas.check(MAPPING, declared) == ()
    source = Mapped("pumps", "mappings/pumps.schema.json", declared)
    pipeline.sources = Sources([source])
    message = Message(
        headers={"content-type": "application/json"},
        body=json.dumps(document).encode(),
        id="r",
        received=RECEIVED,
        system="pumps",
        resource=None,
        update=False,
    )
    try:
        events = pipeline.prepare(message).events
    except Refusal as refusal:
        assert refusal.status in (400, 422)
        return
    for event in events:
        assert_is_envelope(event.record.value)


def test_incidents_of_other_systems_are_as_they_were(tmp_path: Path) -> None:
    assert pumps(tmp_path, systems="all").send(incident()).status_code == 202
