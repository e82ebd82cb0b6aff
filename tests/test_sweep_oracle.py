"""The oracle of the sweep finds what is wrong: a check that cannot fail proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sweep.events import Event, Kind
from tests.sweep.load import Answer
from tests.sweep.oracle import Found, Published, Rules, Verdict, judge

EVENTS = [Event(number, "detected", "a") for number in range(1, 5)]
INVALID = Event(5, "detected", "a", Kind.INVALID)
LARGE = Event(6, "detected", "a", Kind.LARGE)
ANSWERS = [Answer(event, 202, "published", seconds=0.1) for event in EVENTS] + [Answer(INVALID, 422)]


def lying(event: Event, offset: int, partition: int = 0) -> Published:
    return Published(event.topic, partition, offset, f"incident/{event.key}", "/sweep", event.id)


RECORDS = [lying(event, event.number) for event in EVENTS]
GOOD = Found(RECORDS, dead=frozenset({INVALID.id}), outcomes={"published": 4, "rejected": 1})


def verdict(answers: list[Answer] = ANSWERS, found: Found = GOOD, rules: Rules | None = None) -> Verdict:
    return judge(answers, found, rules or Rules())


def test_what_is_right_passes() -> None:
    passed = verdict()
    assert passed.broken == ()
    assert (passed.sent, passed.taken, passed.rejected) == (5, 4, 1)
    assert (passed.lost, passed.repeated, passed.disordered, passed.invalid) == (0, 0, 0, 0)


def test_an_acknowledged_event_that_is_nowhere_is_lost() -> None:
    found = replace(GOOD, published=RECORDS[:-1])
    assert verdict(found=found).lost == 1
    assert "1 acknowledged and lost: sweep-00000004" in verdict(found=found).broken


def test_a_dead_letter_saves_an_event_only_if_its_topic_cannot_hold_it() -> None:
    good_as_dead = replace(GOOD, published=RECORDS[1:], dead=frozenset({INVALID.id, EVENTS[0].id}))
    assert verdict(found=good_as_dead).lost == 1
    large = [*ANSWERS, Answer(LARGE, 202, "spooled")]
    counted = {"published": 4, "spooled": 1, "rejected": 1}
    kept = replace(GOOD, dead=frozenset({INVALID.id, LARGE.id}), outcomes=counted)
    assert verdict(large, kept).broken == ()
    parked = replace(GOOD, parked=frozenset({LARGE.id}), outcomes=counted)
    assert verdict(large, parked).broken == ()
    assert verdict(large, replace(GOOD, outcomes=counted)).lost == 1


def test_what_waits_in_the_spool_is_not_lost_but_late() -> None:
    found = verdict(found=replace(GOOD, published=RECORDS[:-1], waiting=frozenset({EVENTS[-1].id})))
    assert found.lost == 0
    assert found.broken == ("1 left in the spool while Kafka was there: sweep-00000004",)


def test_every_copy_beyond_the_first_is_counted_and_does_not_disturb_the_order() -> None:
    found = verdict(found=replace(GOOD, published=[*RECORDS, lying(EVENTS[0], 5), lying(EVENTS[0], 6)]))
    assert (found.repeated, found.disordered, found.broken) == (2, 0, ())


def test_an_event_behind_a_later_one_of_its_key_is_out_of_order() -> None:
    swapped = [lying(EVENTS[1], 1), lying(EVENTS[0], 2), *RECORDS[2:]]
    found = verdict(found=replace(GOOD, published=swapped))
    assert found.disordered == 1
    assert "1 published out of order: sweep-00000001" in found.broken


def test_an_event_that_was_not_acknowledged_has_no_place_in_the_order() -> None:
    swapped = [lying(EVENTS[1], 1), lying(EVENTS[0], 2), *RECORDS[2:]]
    answers = [Answer(EVENTS[0]), *ANSWERS[1:]]
    assert verdict(answers, replace(GOOD, published=swapped)).disordered == 0


def test_a_key_in_two_partitions_has_no_order() -> None:
    found = verdict(found=replace(GOOD, published=[*RECORDS[:-1], lying(EVENTS[-1], 1, partition=1)]))
    assert found.disordered == 1


STRANGERS: dict[str, Published] = {
    "invalid": lying(INVALID, 9),
    "never sent": lying(Event(77, "detected", "a"), 9),
    "of another topic": replace(lying(EVENTS[0], 9), topic="events.incident.resolved"),
    "of another key": replace(lying(EVENTS[0], 9), key="incident/b"),
    "no envelope": replace(lying(EVENTS[0], 9), sound=False),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_nothing_but_the_events_may_stand_in_a_topic(stranger: Published) -> None:
    found = verdict(found=replace(GOOD, published=[*RECORDS, stranger]))
    assert found.invalid == 1
    assert any("though invalid" in what for what in found.broken)


def test_an_invalid_event_must_not_be_acknowledged() -> None:
    answers = [*ANSWERS[:-1], Answer(INVALID, 202, "published")]
    assert verdict(answers).invalid == 1


UNEXCUSED = {
    "503": (Answer(EVENTS[0], 503, retry_after=True), Rules(refuses=True), "refused though"),
    "cut": (Answer(EVENTS[0]), Rules(restarts=True), "without an answer"),
    "wrong 4xx": (Answer(EVENTS[0], 422), None, "refused though"),
    "no Retry-After": (Answer(EVENTS[0], 503), None, "without Retry-After"),
}


@pytest.mark.parametrize(("answer", "excuse", "told"), UNEXCUSED.values(), ids=UNEXCUSED)
def test_a_refusal_needs_an_excuse(answer: Answer, excuse: Rules | None, told: str) -> None:
    answers = [answer, *ANSWERS[1:]]
    assert any(told in what for what in verdict(answers).broken)
    if excuse:
        assert not any(told in what for what in verdict(answers, rules=excuse).broken)


def test_a_rejected_event_is_in_the_dead_letters() -> None:
    assert verdict(found=replace(GOOD, dead=frozenset())).broken == (
        "1 rejected and in no dead letter: sweep-00000005",
    )


@pytest.mark.parametrize(
    "counted",
    [None, {"published": 3, "rejected": 1}, {"published": 5, "rejected": 1}, {"spooled": 4, "rejected": 1}],
)
def test_the_metrics_add_up(counted: dict[str, int] | None) -> None:
    assert any("metrics" in what for what in verdict(found=replace(GOOD, outcomes=counted)).broken)


def test_an_event_that_was_cut_may_be_counted_or_not() -> None:
    answers = [*ANSWERS, Answer(Event(7, "detected", "a"))]
    for published in (4, 5):
        found = replace(GOOD, outcomes={"published": published, "rejected": 1})
        assert not any("metrics" in what for what in verdict(answers, found).broken)
