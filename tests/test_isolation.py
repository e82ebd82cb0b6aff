"""Whatever is sent by whomever on whichever path: a record appears only of a system its sender may send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gateway.systems import SYSTEMS
from gateway.web.routes import INTAKES, Intake
from tests.door import BATCHED, Door, Front, envelope, told
from tests.examples import Example, examples
from tests.fuzzing import HEARD, assert_answered_well, fuzzed, pick, readable
from tests.keys import bearer, guarded, hashed, principal

pytestmark = pytest.mark.usefixtures("front")

# One principal for each system, one for each two neighbours, and one for all.
SETS = [[system] for system in SYSTEMS] + [list(SYSTEMS[n : n + 2]) for n in range(4)] + [list(SYSTEMS)]
MAY = {f"principal-{number}": frozenset(systems) for number, systems in enumerate(SETS)}
EXAMPLES = [
    example
    for example in examples("valid")
    if example.system in SYSTEMS and readable(example) and example.expected["records"]
]
principals = st.sampled_from(sorted(MAY))


@pytest.fixture(scope="module")
def house(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Door:
    HEARD.faults()  # forgets what other tests have made the gateway log
    folder: Path = tmp_path_factory.mktemp("isolation")
    declared = [
        principal(name, hashed("bearer", f"secret of {name}"), systems=sorted(systems))
        for name, systems in MAY.items()
    ]
    return guarded(folder, "\n".join(declared))


@st.composite
def sent(draw: DrawFn) -> Example:
    return pick(draw, EXAMPLES)


def headers(name: str, example: Example) -> dict[str, str]:
    return example.headers | bearer(f"secret of {name}")


def assert_isolated(door: Door, name: str, answer: Any) -> None:
    systems = {envelope(record)["system"] for record in door.published}
    topics = {record.topic for record in door.publisher.records}
    if answer.status_code == 403:
        assert door.publisher.records == []
        assert told(answer)["type"] == "forbidden"
    assert systems <= MAY[name]
    assert topics <= set(door.gateway.router.topics())
    assert_answered_well(door, answer)


@fuzzed
@given(principals, sent())
def test_an_example_on_its_own_path_is_published_or_forbidden(
    house: Door, name: str, example: Example
) -> None:
    answer = house.client.open(
        example.path, method=example.method, data=example.body, headers=headers(name, example)
    )
    system = example.name.partition("/")[0]
    assert answer.status_code == (202 if system in MAY[name] else 403)
    assert_isolated(house, name, answer)


@fuzzed
@given(principals, sent(), st.sampled_from(INTAKES))
def test_an_example_on_any_path(house: Door, name: str, example: Example, intake: Intake) -> None:
    path = intake.rule.replace("<resource>", "7")
    answer = house.client.open(path, method=intake.method, data=example.body, headers=headers(name, example))
    if intake.system is not None and intake.system not in MAY[name]:
        assert answer.status_code == 403
    assert_isolated(house, name, answer)


@fuzzed
@given(principals, st.lists(sent(), max_size=4), st.sampled_from(INTAKES))
def test_a_batch_of_examples_on_any_path(
    house: Door, name: str, batch: list[Example], intake: Intake
) -> None:
    attributes = {"specversion": "1.0", "source": "/s", "type": "t"}
    events = [
        attributes | {"id": str(number), "data": json.loads(example.body)}
        for number, example in enumerate(batch)
    ]
    answer = house.send(
        events,
        intake.rule.replace("<resource>", "7"),
        method=intake.method,
        content_type=BATCHED,
        headers=bearer(f"secret of {name}"),
    )
    assert_isolated(house, name, answer)
