"""What must hold after a fault, judged from what the clients heard and from what was found afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.sweep.events import NOISE, Event, Kind
from tests.sweep.load import Answer

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Published:
    """A record in an event topic. ``sound`` says that its value is an envelope, and of that very event."""

    topic: str
    partition: int
    offset: int
    key: str
    source: str
    id: str
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was found once the gateway had drained and ended; ids of events.

    ``outcomes`` is what the metrics counted, None when they died with a process.
    """

    published: Sequence[Published]
    waiting: frozenset[str] = frozenset()
    parked: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    outcomes: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a fault excuses.

    ``refuses``: 503 to good events. ``repeats``: second copies. ``restarts``: answers that never come, and
    the loss of metrics and of dead letters under way.
    """

    refuses: bool = False
    repeats: bool = False
    restarts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The numbers of one fault, and what is broken."""

    sent: int = 0
    taken: int = 0
    spooled: int = 0
    rejected: int = 0
    refused: int = 0
    cut: int = 0
    lost: int = 0
    invalid: int = 0
    repeated: int = 0
    twice: tuple[str, ...] = ()  # some of those, with their places
    disordered: int = 0
    parked: int = 0
    dead: int = 0
    worst: float = 0.0
    broken: tuple[str, ...] = field(default=())


def judge(answers: Sequence[Answer], found: Found, rules: Rules) -> Verdict:
    """Hold what was found against what was answered."""
    taken = [answer.event for answer in answers if answer.taken]
    copies = _copies(found.published)
    return Verdict(
        sent=len(answers),
        taken=len(taken),
        spooled=sum(answer.outcome == "spooled" for answer in answers),
        rejected=sum(_rightly_rejected(answer) for answer in answers),
        refused=sum(_refused(answer) for answer in answers),
        cut=sum(answer.status is None for answer in answers),
        lost=len(_lost(taken, found)),
        invalid=len(_invalid(answers, found)),
        repeated=sum(len(places) - 1 for places in copies.values()),
        twice=tuple(f"{id}: {', '.join(copies[id])}" for id in sorted(copies)[:_EXAMPLES]),
        disordered=len(_disordered(taken, found.published)),
        parked=len(found.parked),
        dead=len(found.dead),
        worst=max((answer.seconds for answer in answers), default=0.0),
        broken=tuple(_broken(answers, found, rules)),
    )


def _broken(answers: Sequence[Answer], found: Found, rules: Rules) -> Iterable[str]:
    taken = [answer.event for answer in answers if answer.taken]
    yield from _told("acknowledged and lost", _lost(taken, found))
    yield from _told("published or taken though invalid", _invalid(answers, found))
    yield from _told("published out of order", _disordered(taken, found.published))
    yield from _told("left in the spool while Kafka was there", found.waiting - _ids(found.published))
    wrong = [a for a in answers if _refused(a) and (not rules.refuses or (a.status or 0) < 500)]
    yield from _told("refused though it had to be taken", (f"{a.event.id} ({a.status})" for a in wrong))
    if not rules.restarts:
        cut = (f"{a.event.id} ({a.seconds:.1f} s)" for a in answers if a.status is None)
        yield from _told("without an answer", cut)
    unsaid = (a.event.id for a in answers if (a.status or 0) >= 500 and not a.retry_after)
    yield from _told("refused without Retry-After", unsaid)
    if not rules.restarts:
        yield from _miscounted(answers, found.outcomes)
    if not (rules.restarts or rules.refuses):
        rejected = {a.event.id for a in answers if _rightly_rejected(a) and a.event.kind is not Kind.HUGE}
        yield from _told("rejected and in no dead letter", rejected - found.dead)


def _told(what: str, ids: Iterable[str]) -> Iterable[str]:
    """Say how many, and name the first."""
    listed = sorted(ids)
    more = ", …" if len(listed) > _EXAMPLES else ""
    if listed:
        yield f"{len(listed)} {what}: {', '.join(listed[:_EXAMPLES])}{more}"


def _ids(published: Iterable[Published]) -> set[str]:
    return {record.id for record in published}


def _lost(taken: Iterable[Event], found: Found) -> set[str]:
    """An event that its topic cannot hold may end in the dead letters instead, or be parked."""
    kept = _ids(found.published) | found.waiting
    aside = found.dead | found.parked
    return {e.id for e in taken if e.id not in kept and not (e.kind in NOISE and e.id in aside)}


def _invalid(answers: Iterable[Answer], found: Found) -> set[str]:
    """What stands in an event topic and is no good event that was sent there; invalid events taken, too."""
    sent = {answer.event.id: answer.event for answer in answers}
    wrong = {a.event.id for a in answers if a.taken and a.event.kind is Kind.INVALID}
    for record in found.published:
        event = sent.get(record.id)
        of_event = event is not None and (record.topic, record.key) == (event.topic, f"incident/{event.key}")
        if event is None or event.kind is Kind.INVALID or not of_event or not record.sound:
            wrong.add(record.id)
    return wrong


def _copies(published: Iterable[Published]) -> dict[str, list[str]]:
    """Where each event stands that is in its topic more than once."""
    places: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for record in published:
        place = f"{record.topic} {record.partition}@{record.offset}"
        places[record.topic, record.source, record.id].append(place)
    return {id: found for (_, _, id), found in places.items() if len(found) > 1}


def _disordered(taken: Iterable[Event], published: Iterable[Published]) -> set[str]:
    """Acknowledged events that stand behind a later one of their key, first copies only.

    A key that stands in two partitions has no order at all.
    """
    numbers = {event.id: event.number for event in taken}
    lanes: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    for record in sorted(published, key=lambda record: (record.partition, record.offset)):
        if record.id in numbers:
            lanes[record.topic, record.key].setdefault(record.id, (record.partition, record.offset))
    wrong: set[str] = set()
    for places in lanes.values():
        (home, _), *_ = places.values()
        latest = 0
        for id, (partition, _) in places.items():
            if partition != home or numbers[id] < latest:
                wrong.add(id)
            latest = max(latest, numbers[id])
    return wrong


def _rightly_rejected(answer: Answer) -> bool:
    """An invalid event is rejected as such; one that is too large may be, or be taken and kept aside."""
    kind, status = answer.event.kind, answer.status or 0
    return (kind is Kind.INVALID and 400 <= status < 500) or (kind in NOISE and status == 413)


def _refused(answer: Answer) -> bool:
    """Answered, but neither taken nor rejected for a reason."""
    return answer.status is not None and not answer.taken and not _rightly_rejected(answer)


def _miscounted(answers: Sequence[Answer], outcomes: Mapping[str, int] | None) -> Iterable[str]:
    """Every event is counted once, as it was answered; of those that were cut it is not known how."""
    if outcomes is None:
        yield "the metrics could not be read"
        return
    heard = Counter(_outcome(answer) for answer in answers if answer.status is not None)
    cut = sum(answer.status is None for answer in answers)
    short = {name: number for name, number in heard.items() if outcomes.get(name, 0) < number}
    if short or not heard.total() <= sum(outcomes.values()) <= heard.total() + cut:
        yield f"the metrics count {dict(outcomes)}, the clients heard {dict(heard)} and nothing {cut} times"


def _outcome(answer: Answer) -> str:
    if answer.taken:
        return answer.outcome or "unnamed"
    return "failed" if (answer.status or 0) >= 500 else "rejected"
