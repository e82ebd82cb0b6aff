"""A large batch is taken in slices, so that others are served in between; what becomes of it is the same."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from gateway import app, settings, slices
from gateway.app import Gateway
from gateway.errors import BatchInvalid
from gateway.model import Message
from gateway.pipeline import SLICE_SECONDS, Pipeline
from gateway.slices import Slices
from gateway.sources.reading import BATCHED
from gateway.web.routes import INTAKES
from tests.examples import RECEIVED, REQUEST_ID
from tests.memory_publisher import MemoryPublisher
from tests.samples import cloudevent


def counting(upto: int) -> Slices[int]:
    for _ in range(upto):
        yield
    return upto


def test_slices_run_through_give_their_value() -> None:
    assert [slices.run(counting(number)) for number in (0, 1, 5)] == [0, 1, 5]


def test_slices_raise_what_the_work_raises() -> None:
    def broken() -> Slices[int]:
        yield
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        slices.run(broken())
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(slices.spread(broken()))


def test_an_event_loop_does_other_things_between_two_slices() -> None:
    seen: list[str] = []

    def work() -> Slices[str]:
        for _ in range(3):
            seen.append("slice")
            yield
        return "done"

    async def both() -> str:
        async def others() -> None:
            for _ in range(3):
                seen.append("other")
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        value = await slices.spread(work())
        await task
        return value

    assert asyncio.run(both()) == "done"
    assert seen == ["slice", "other"] * 3


@pytest.fixture
def slow() -> Gateway:
    """A gateway that takes longer than a slice for every event, as its clock has it."""
    publisher = MemoryPublisher()
    publisher.start()
    gateway = app.build(settings.load({}), publisher)
    ticks = itertools.count()
    gateway.pipeline._clock = lambda: next(ticks) * 2 * SLICE_SECONDS
    return gateway


def batch(*events: object) -> Message:
    return Message(
        headers={"content-type": BATCHED}, body=json.dumps(events).encode(), id=REQUEST_ID, received=RECEIVED
    )


def parts(pipeline: Pipeline, message: Message) -> int:
    """How many times the work stops before its end."""
    return sum(1 for _ in pipeline.preparing(message))


def test_a_batch_stops_between_its_events(slow: Gateway) -> None:
    events = [cloudevent(id=str(number)) for number in range(5)]
    assert parts(slow.pipeline, batch(*events)) == 5
    taken = slices.run(slow.pipeline.accepting(batch(*events))).result()
    assert isinstance(taken, tuple)
    assert [receipt.event.record.id for receipt in taken] == ["0", "1", "2", "3", "4"]


def test_nothing_is_published_before_the_last_event_is_read(slow: Gateway) -> None:
    publisher = slow.publisher
    assert isinstance(publisher, MemoryPublisher)
    work = slow.pipeline.accepting(batch(cloudevent(id="1"), cloudevent(id="2")))
    for _ in range(2):
        next(work)
        assert publisher.records == []
    slices.run(work)
    assert len(publisher.records) == 2


def test_a_bad_event_at_the_end_refuses_those_of_the_slices_before(slow: Gateway) -> None:
    publisher = slow.publisher
    assert isinstance(publisher, MemoryPublisher)
    future = slices.run(slow.pipeline.accepting(batch(cloudevent(id="1"), cloudevent(id=""))))
    assert isinstance(future.exception(), BatchInvalid)
    assert [record.topic for record in publisher.records] == ["events.deadletter"]


def test_an_ordinary_request_is_one_slice() -> None:
    gateway = app.build(settings.load({}), MemoryPublisher())
    gateway.pipeline._clock = lambda: 0.0
    assert parts(gateway.pipeline, batch(cloudevent())) == 0


def test_the_door_gives_the_same_answer_either_way(slow: Gateway) -> None:
    message = batch(*[cloudevent(id=str(number)) for number in range(3)])
    intake = next(intake for intake in INTAKES if intake.rule == "/events")

    def taking() -> Slices[object]:
        arrival = slow.door.arrive(intake, "/events", {"host": "h", **message.headers})
        body = slow.door.body(arrival)
        body.feed(message.body)
        future = yield from slow.door.taking(arrival, body)
        answer = future.result()
        return answer.status, len(answer.body)

    assert slices.run(taking()) == asyncio.run(slices.spread(taking()))
