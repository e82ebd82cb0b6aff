"""What holds for every sender, whichever it is: one claims it, repeats have one id, nothing ends unsaid."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway import envelope as envelopes
from gateway import looking
from gateway.errors import Refusal
from gateway.model import Document, Event, Message
from gateway.systems import SYSTEMS
from tests.examples import DECLARED, RECEIVED, Example, examples, pipeline
from tests.samples import Json

PIPELINE = pipeline()
EXAMPLES = examples("valid")
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)

# Their documents may have neither an id nor a time of their own; then each is another event.
MAY_HAVE_NO_ID = {"ctoai", "tracker", "incidents"}

# Where each sender that says how an incident stands says so; ``*`` is every item of an array,
# ``{}`` the JSON inside a string.
STATES = {
    "incidents": "status",
    "alertmanager": "alerts/*/status",
    "grafana": "alerts/*/status",
    "pagerduty": "event/event_type",
    "jira": "issue/fields/status/statusCategory/key",
    "github": "action",
    "servicenow": "state",
    "datadog": "alert_transition",
    "googlecloud": "incident/state",
    "azuremonitor": "data/essentials/monitorCondition",
    "cloudwatch": "Message/{}/NewStateValue",
    "uptimekuma": "heartbeat/status",
    "sentry": "action",
    "zabbix": "status",
}


def documents(example: Example) -> list[Document]:
    read = list(PIPELINE.reader.read(example.message()).members)
    return [document for document in read if isinstance(document, Document)]


def events(message: Message) -> tuple[Event, ...]:
    return PIPELINE.prepare(message).events


# -- recognition --------------------------------------------------------------------------------------------


@each_example
def test_exactly_one_system_claims_an_example(example: Example) -> None:
    for document in documents(example):
        by_header = [s.name for s in PIPELINE.sources if set(s.header_marks) & set(document.message.headers)]
        by_body = [s.name for s in PIPELINE.sources if s.recognise(document)]
        unpinned = example.path == "/events"
        assert (by_header or by_body) == [example.system] or (not unpinned and not by_header and not by_body)


def test_every_system_is_declared_under_its_own_name() -> None:
    assert [source.name for source in PIPELINE.sources] == [*SYSTEMS, *DECLARED]


@pytest.mark.parametrize("system", [*SYSTEMS, *DECLARED])
def test_every_system_has_an_example_that_is_recognised_without_a_pinned_path(system: str) -> None:
    assert [e for e in EXAMPLES if e.system == system and e.path == "/events"]


@each_example
def test_a_control_message_is_of_a_kind_that_its_system_declares(example: Example) -> None:
    for document in documents(example):
        source = PIPELINE.sources.recognise(document)
        control = source.control(document)
        assert control is None or (control.system, control.kind in source.controls) == (source.name, True)


# -- identity -----------------------------------------------------------------------------------------------


@each_example
def test_a_redelivery_has_the_same_ids_and_keys(example: Example) -> None:
    message = example.message()
    later = replace(message, id="another", received=RECEIVED + timedelta(days=1))
    for first, second in zip(events(message), events(later), strict=True):
        assert first.record.key == second.record.key or example.system in MAY_HAVE_NO_ID
        fresh = second.record.id.startswith("another")
        assert first.record.id == second.record.id or (fresh and example.system in MAY_HAVE_NO_ID)


# -- the end of an incident ---------------------------------------------------------------------------------


def with_state(node: Any, path: list[str], state: Any) -> Any:
    """The document with every state in it replaced."""
    if not path:
        return state
    if path[0] == "{}":
        return json.dumps(with_state(json.loads(node), path[1:], state))
    if path[0] == "*":
        return [with_state(item, path[1:], state) for item in node]
    return {**node, path[0]: with_state(node[path[0]], path[1:], state)}


def _is_over(envelope: Json) -> bool:
    """Whether CDEvents' resolved is meant, and not a word of the sender's own."""
    return bool(envelope["predicate"] == "resolved" and envelope["vocabulary"] == "cdevents")


ENDED = [
    example
    for example in EXAMPLES
    if example.system in STATES
    and example.expected["records"]
    and all(_is_over(record["envelope"]) for record in example.expected["records"])
    and example.headers.get("content-type", "").split(";")[0] in ("application/json", "text/plain")
]


def test_every_sender_that_ends_incidents_has_an_example_of_it() -> None:
    assert {example.system for example in ENDED} == set(STATES)


@given(st.sampled_from(ENDED), st.one_of(st.text(), st.integers(), st.none(), st.booleans()))
def test_no_unknown_state_becomes_resolved(example: Example, state: Any) -> None:
    document = json.loads(example.body)
    path = STATES[example.system].split("/")
    body = json.dumps(with_state(document, path, state)).encode()
    if body == json.dumps(document).encode():
        return
    try:
        found = looking.at_message(PIPELINE, example.message(body))
    except Refusal:
        return
    assert not any(_is_over(envelopes.to_dict(event.envelope)) for event in found)


# -- alerts -------------------------------------------------------------------------------------------------

INSTANTS = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
ALERTS = st.fixed_dictionaries(
    {
        "labels": st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
        "annotations": st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
        "fingerprint": st.text("0123456789abcdef", min_size=16, max_size=16),
        "startsAt": INSTANTS,
        "endsAt": INSTANTS,
    }
)
GROUPS = st.sampled_from([{"version": "4"}, {"version": "1", "orgId": 1}])


def group(head: Json, *alerts: Json) -> Message:
    example = EXAMPLES[0].message(json.dumps({**head, "alerts": alerts}).encode())
    return replace(example, system=None, headers={"content-type": "application/json"})


@given(GROUPS, ALERTS)
def test_an_alert_that_fires_and_is_resolved_has_one_key_and_two_ids(head: Json, alert: Json) -> None:
    fires, ends = events(group(head, alert | {"status": "firing"}, alert | {"status": "resolved"}))
    assert fires.record.key == ends.record.key
    assert fires.record.id != ends.record.id
    assert (fires.predicate, ends.predicate) == ("detected", "resolved")


@given(GROUPS, st.lists(ALERTS, max_size=5), st.data())
def test_an_alert_is_the_same_event_in_whatever_group_it_is_repeated(
    head: Json, alerts: list[Json], data: st.DataObject
) -> None:
    firing = [alert | {"status": "firing"} for alert in alerts]
    others = copy.deepcopy(data.draw(st.permutations(firing)))
    first = events(group(head, *firing))
    second = events(group(head | {"notification_reason": "repeat interval elapsed"}, *others))
    assert sorted(ids(first)) == sorted(ids(second))


@given(GROUPS, st.lists(ALERTS, min_size=1, max_size=5))
def test_the_events_of_a_group_are_those_of_its_alerts_alone(head: Json, alerts: list[Json]) -> None:
    firing = [alert | {"status": "firing"} for alert in alerts]
    together = events(group(head, *firing))
    alone = [event for alert in firing for event in events(group(head, alert))]
    assert [event.record for event in together] == [event.record for event in alone]


def ids(found: tuple[Event, ...]) -> Iterator[tuple[str, str]]:
    return ((event.record.source, event.record.id) for event in found)
