"""What every test may start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.publisher_contract")

from tests.door import Door  # noqa: E402  (after the line above)


@pytest.fixture(scope="session")
def shared_door() -> Door:
    return Door()


@pytest.fixture
def door(shared_door: Door) -> Iterator[Door]:
    """A gateway with default settings and nothing published yet; built once, since that takes a while."""
    shared_door.publisher.forget()
    yield shared_door
    shared_door.publisher.forget()
