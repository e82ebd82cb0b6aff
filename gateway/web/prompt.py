"""Requests that came whole are taken without a task, those that are there together one after the other.

ASGI has a task, a queue of pieces and a dictionary a message for each request. That is for bodies that come
bit by bit; an event is mostly in the segment that its headers are in.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from gateway.errors import Refusal
from gateway.pipeline import SLICE_SECONDS
from gateway.promises import Promise
from gateway.publishing.poller import Poller
from gateway.web.answers import Answer
from gateway.web.door import Arrival, Door, fault, new_id
from gateway.web.request_head import by_name
from gateway.web.routes import Intake, Routes
from gateway.web.turns import Turns
from gateway.web.wakeups import Wakeups

WHOLE_BYTES = 65_536
"""Of a body, the most that is taken at once: a longer one is worked on in slices."""

Found = tuple[Intake, str | None]


class Prompt:
    """One for each worker; it belongs to the event loop that it is first used in."""

    def __init__(self, door: Door, routes: Routes, poller: Poller) -> None:
        self._door = door
        self._routes = routes
        self._poller = poller
        self._wakeups: Wakeups[Answer] | None = None
        self.turns = Turns(time.perf_counter)
        self._queue: deque[tuple[Whole, Awaited]] = deque()
        self._open: deque[Awaited] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def wakeups(self) -> Wakeups[Answer]:
        """What brings answers to the running event loop."""
        if self._wakeups is None:
            self._wakeups = Wakeups(asyncio.get_running_loop(), self._poller)
        return self._wakeups

    def find(self, method: str, path: str) -> Found | None:
        """Give the way in of a request; None when Flask has to answer it."""
        return self._routes.find(method, path)

    def take(self, whole: Whole, awaited: Awaited) -> None:
        """Publish soon; the answer goes to ``awaited``, in this loop, after the longest wait at the latest.

        Soon is once all connections are read that have something to be read: the same work done for one
        request after the other finds its code and data in the processor's caches.
        """
        if not self._queue:
            self.wakeups.loop.call_soon(self._work)
        self._queue.append((whole, awaited))

    def _work(self) -> None:
        """Take what has come, for no longer than a slice at a time."""
        end = time.perf_counter() + SLICE_SECONDS
        try:
            while self._queue:
                self._publish(*self._queue.popleft())
                if time.perf_counter() > end:
                    break
        finally:  # whatever went wrong with one, nobody else would begin again with what is left
            if self._queue:
                self.wakeups.loop.call_soon(self._work)
        self.wakeups.attend()  # to dead letters too, for which nobody waits

    def _publish(self, whole: Whole, awaited: Awaited) -> None:
        try:
            intake, resource = whole.found
            headers = by_name(whole.headers)
            arrival = self._door.arrive(intake, whole.path, headers, resource, whole.query)
            taken = self._taken(arrival, b"".join(whole.pieces))
        except Exception as error:  # a bug: the server would tell of it in a form of its own
            awaited.answer(fault(error, new_id()))
            return
        if taken.done():
            self._give(taken.result(), arrival, awaited)
            return
        awaited.arrival = arrival
        self._watch(awaited)
        self.turns.waiting += 1
        self.wakeups.when(taken, lambda answer: self._end(answer, awaited))

    def _give(self, answer: Answer, arrival: Arrival, awaited: Awaited) -> None:
        """Give an answer that is there at once, a refusal mostly."""
        if hold := self.turns.hold(answer.status, time.perf_counter() - arrival.began):
            self.wakeups.loop.call_later(hold, awaited.answer, answer)
        else:
            awaited.answer(answer)

    def _end(self, answer: Answer, awaited: Awaited) -> None:
        if not awaited.response_complete:
            self.turns.waiting -= 1
            awaited.answer(answer)

    def _taken(self, arrival: Arrival, body: bytes) -> Promise[Answer]:
        try:
            reading = self._door.body(arrival)
            reading.feed(body)
        except Refusal as refusal:
            refused: Promise[Answer] = Promise()
            refused.succeed(self._door.refuse(arrival, refusal))
            return refused
        return self._door.take(arrival, reading)

    def _watch(self, awaited: Awaited) -> None:
        """Answer it in time in any case: one timer for all, since nearly none is ever late."""
        while self._open and self._open[0].response_complete:
            self._open.popleft()
        loop = self.wakeups.loop
        awaited.due = loop.time() + self._door.longest_wait
        self._open.append(awaited)
        if self._timer is None:
            self._timer = loop.call_at(awaited.due, self._expire)

    def _expire(self) -> None:
        loop, self._timer = self.wakeups.loop, None
        while self._open and (self._open[0].response_complete or self._open[0].due <= loop.time()):
            late = self._open.popleft()
            if late.arrival is not None and not late.response_complete:
                self._end(self._door.late(late.arrival), late)
        if self._open:
            self._timer = loop.call_at(self._open[0].due, self._expire)


class Whole:
    """A request that may be taken at once: its head, and of its body so much."""

    __slots__ = ("found", "headers", "method", "path", "pieces", "query")

    def __init__(
        self, method: bytes, found: Found, path: str, query: str, headers: list[tuple[bytes, bytes]]
    ) -> None:
        self.method = method
        self.found = found
        self.path = path
        self.query = query
        self.headers = headers
        self.pieces: list[bytes] = []


class _Nobody:
    """An event that nobody waits for."""

    def set(self) -> None: ...


class Awaited:
    """A request that came whole, until it is answered; a connection has it where it has a ``Cycle`` else."""

    __slots__ = ("_answered", "arrival", "disconnected", "due", "keep_alive", "response_complete")

    more_body = False
    ended = False
    message_event = _Nobody()

    def __init__(self, answered: Callable[[Awaited, Answer], None], *, keep_alive: bool) -> None:
        self._answered = answered
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.arrival: Arrival | None = None
        self.due = 0.0

    def answer(self, answer: Answer) -> None:
        """Send the answer; the first counts."""
        if not self.response_complete:
            self.response_complete = True
            self._answered(self, answer)
