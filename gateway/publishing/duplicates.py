"""Events that come again within a window are answered with their first receipt, and not published again.

Every doubt is decided for publishing: once too often is safe, and once too seldom is not. So an event counts
as seen only after it is durable, and a file that cannot be asked has seen nothing.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from msgspec import structs

from gateway.errors import GatewayError, InternalError, Refusal, Unavailable
from gateway.haste import NO_HASTE, Haste
from gateway.model import Health, Outcome, Placement, Problem, Publisher, Record
from gateway.promises import Promise
from gateway.publishing.deadlines import Deadlines
from gateway.publishing.duplicates_file import Seen, digest
from gateway.publishing.in_turn import InTurn

logger = logging.getLogger(__name__)

_LAST_RESORT_SECONDS = 10.0  # far beyond what any publisher takes to answer
_CLOSE_SECONDS = 2.0
_LATE = "there was no answer in time; the event may have been written"
_DURABLE = (Outcome.PUBLISHED, Outcome.SPOOLED)


@dataclass(frozen=True, slots=True)
class _Lost:
    """A record that is not known to be durable, and the error its sender is told."""

    outcome: Outcome
    error: BaseException


_End = Placement | _Lost


@dataclass(slots=True, eq=False)
class _Request:
    """The records of one request. Each shares the end of the first of its kind under way.

    ``firsts`` names that one for each record: the request that has it, maybe this one, and its index there.
    ``ends`` tells how this request's own firsts ended.
    """

    records: tuple[Record, ...]
    digests: tuple[bytes | None, ...]
    haste: Haste
    firsts: list[tuple[_Request, int]] = field(default_factory=list)
    ends: dict[int, _End] = field(default_factory=dict)
    ended: Promise[None] = field(default_factory=Promise)  # its own firsts have
    future: Promise[tuple[Placement, ...]] = field(default_factory=Promise)

    def own(self) -> list[int]:
        """The records that nothing before them tells the end of."""
        return [index for index, first in enumerate(self.firsts) if first == (self, index)]

    def end(self, index: int) -> _End:
        """How a record ended, once its first has."""
        first, place = self.firsts[index]
        end = first.ends[place]
        if isinstance(end, Placement):
            return end if first is self and place == index else structs.replace(end, duplicate=True)
        if first is not self and isinstance(end.error, Refusal):
            # What is wrong was told of another request; this one, sent again, is judged by itself.
            return _Lost(Outcome.FAILED, Unavailable("the same event was just refused; send it again"))
        return end


class Duplicates:
    """A publisher around another one.

    Of repeats at the same time in two processes, both may be published.
    """

    def __init__(
        self,
        inner: Publisher,
        folder: Path,
        window_seconds: float,
        count: Callable[[int], None] = lambda number: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``count`` is told how many events of a request were not published again; ``now`` in seconds."""
        self._inner = inner
        self._seen = Seen(folder, window_seconds, now)
        self._count = count
        self._last_resort = Deadlines(_LAST_RESORT_SECONDS)
        self._line: InTurn[_Request] = InTurn(self._publish)
        self._under_way: dict[bytes, tuple[_Request, int]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Start the publisher, and open the file in a thread of this process."""
        self._last_resort.start()
        self._seen.start()
        self._inner.start()

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        """Publish those that were not seen, in order, in one call; a repeat's placement says so."""
        request = _Request(tuple(records), tuple(map(digest, records)), haste)
        if not records:
            request.future.succeed(())
        elif not self._join(request):
            request.future.fail(Unavailable("the gateway is stopping"))
        elif own := request.own():
            wanted = [key for index in own if (key := request.digests[index]) is not None]
            self._seen.find(wanted).then(lambda done: self._found(request, done.result()))
        else:
            self._finish(request)
        return request.future

    def healthy(self) -> Health:
        """Say what the publisher says: without the file, events are taken all the same."""
        return self._inner.healthy()

    def close(self) -> None:
        """Hand on what still waits for the file, let the publisher finish, then close the file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._line.wait(_CLOSE_SECONDS)
        try:
            self._inner.close()
        finally:
            self._last_resort.stop()
            self._seen.close()

    # -- the steps of a request, each in the thread that ended the one before --------------------------------

    def _join(self, request: _Request) -> bool:
        """Find the first of each event, and take a place in the line; False after the close."""
        with self._lock:
            if self._closed:
                return False
            for index, key in enumerate(request.digests):
                first = (request, index)
                request.firsts.append(first if key is None else self._under_way.setdefault(key, first))
            if request.own():
                self._line.join(request)
            return True

    def _found(self, request: _Request, found: dict[bytes, Placement]) -> None:
        """The file has answered, or it was not waited for any longer."""
        for index in request.own():
            placement = found.get(request.digests[index] or b"")
            if placement is not None:
                request.ends[index] = placement
        self._line.ready(request)

    def _publish(self, request: _Request) -> None:
        """Its turn has come."""
        places = [index for index in request.own() if index not in request.ends]
        records, request.records = request.records, ()  # whoever still waits need not hold them
        if not places:
            self._finish(request)
            return
        answer: Promise[tuple[Placement, ...]] = Promise()
        answer.then(lambda done: self._published(request, places, done))
        try:
            answer.follow(self._inner.publish([records[index] for index in places], request.haste))
        except Exception:  # else all behind it in the line would wait for ever
            logger.exception("a publisher broke")
            answer.fail(InternalError("the event could not be handed on"))
        self._last_resort.watch(answer, lambda: answer.fail(Unavailable(_LATE)))

    def _published(
        self, request: _Request, places: Sequence[int], done: Promise[tuple[Placement, ...]]
    ) -> None:
        """Mark what is durable; the answer waits for that, since it says that a repeat will be known."""
        error = done.exception()
        if error is None and len(done.result()) != len(places):
            error = InternalError("the publisher lost count")
        ends = done.result() if error is None else _ends(error, places, len(request.digests))
        request.ends.update(zip(places, ends, strict=True))
        durable = {
            key: end
            for index, end in zip(places, ends, strict=True)
            if isinstance(end, Placement) and (key := request.digests[index]) is not None
        }
        self._seen.mark(durable).then(lambda _: self._finish(request))

    def _finish(self, request: _Request) -> None:
        """What it has published itself has ended; from here a repeat is looked up in the file."""
        with self._lock:
            for index in request.own():
                self._under_way.pop(request.digests[index] or b"", None)
        request.ended.succeed(None)
        self._settle(request)

    def _settle(self, request: _Request) -> None:
        """Answer, once every request has ended that this one shares an event with."""
        for first, _ in request.firsts:
            if not first.ended.done():
                first.ended.then(lambda _: self._settle(request))
                return
        ends = [request.end(index) for index in range(len(request.firsts))]
        request.firsts.clear()  # it names itself there, and would wait for the garbage collector
        placements = tuple(end for end in ends if isinstance(end, Placement))
        if repeats := sum(placement.duplicate for placement in placements):
            self._count(repeats)
        if len(placements) == len(ends):
            request.future.succeed(placements)
        else:
            request.future.fail(_worst(ends))


def _ends(error: BaseException, places: Sequence[int], records: int) -> Sequence[_End]:
    """How each record ended that was published together; some are durable though the request failed."""
    alike = Outcome.REJECTED if isinstance(error, Refusal) else Outcome.FAILED
    outcomes: Sequence[Outcome] = error.outcomes if isinstance(error, GatewayError) else ()
    if len(outcomes) != len(places):
        outcomes = [alike] * len(places)
    elif isinstance(error, GatewayError) and len(places) < records:
        # The publisher knew of fewer records: point into the whole batch instead.
        error = copy.copy(error)
        error.problems = [replace(problem, pointer=_moved(problem, places)) for problem in error.problems]
    return [Placement(outcome) if outcome in _DURABLE else _Lost(outcome, error) for outcome in outcomes]


def _moved(problem: Problem, places: Sequence[int]) -> str:
    if len(places) == 1:  # not told as of a batch
        return f"/{places[0]}{problem.pointer}"
    index, slash, rest = problem.pointer.removeprefix("/").partition("/")
    if not index.isdecimal() or int(index) >= len(places):
        return problem.pointer
    return f"/{places[int(index)]}{slash}{rest}"


def _worst(ends: Sequence[_End]) -> BaseException:
    """Give the error of the whole request: a failure counts more than a refusal."""
    errors = [end.error for end in ends if isinstance(end, _Lost)]
    worst = next((error for error in errors if not isinstance(error, Refusal)), errors[0])
    if isinstance(worst, GatewayError):
        worst = copy.copy(worst)  # each request has its own, to be changed by whoever passes it on
        worst.outcomes = tuple(end.outcome for end in ends)
    return worst
