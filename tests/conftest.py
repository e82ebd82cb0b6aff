"""What every test may start from."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.publisher_contract")

from tests import terminal  # noqa: E402  (after the line above)
from tests.consumer_schemas import assert_is_dead_letter  # noqa: E402
from tests.door import FRONTS, Door, Front  # noqa: E402
from tests.examples import MAPPINGS  # noqa: E402


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    """One of the doors of the gateway, for every ``Door`` of a module; then the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Door, "front", request.param)
        yield request.param


@pytest.fixture(scope="session")
def shared_doors() -> dict[Front, Door]:
    return {}


@pytest.fixture
def door(front: Front, shared_doors: dict[Front, Door]) -> Iterator[Door]:
    """A gateway with the declared systems, nothing published yet; built once, since that takes a while."""
    shared_door = shared_doors.get(front) or shared_doors.setdefault(front, Door(mappings_dir=str(MAPPINGS)))
    shared_door.publisher.forget()
    yield shared_door
    for record in shared_door.dead_letters:
        assert_is_dead_letter(record.value)
    shared_door.publisher.forget()


@pytest.fixture(autouse=True)
def as_much_logged_as_before() -> Iterator[None]:
    """A gateway that is started in this process says how much is logged, for every test after it."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> terminal.Run:
    """The command line in an empty folder, untouched by the settings of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("GATEWAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return terminal.run
