"""What every door does with a request for an intake, whatever it was read by and is answered through."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from gateway import slices
from gateway.credentials import Principal
from gateway.denials import Denial
from gateway.errors import (
    BadRequest,
    Failure,
    GatewayError,
    InternalError,
    InvalidEncoding,
    Refusal,
    Unavailable,
)
from gateway.keeper import Quarantined, Taken
from gateway.metrics import Metrics
from gateway.model import Message, Outcome, Problem
from gateway.pipeline import Pipeline
from gateway.promises import Promise
from gateway.settings import Settings
from gateway.slices import Slices
from gateway.systems import UNKNOWN
from gateway.web import answers, handshake
from gateway.web.answers import Answer
from gateway.web.body import Body
from gateway.web.guard import Guard
from gateway.web.routes import Intake, methods

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"
_MARGIN_SECONDS = 0.25
_VERSION_4 = 4 << 76 | 2 << 62
_RANDOM = (1 << 128) - 1 & ~(15 << 76 | 3 << 62)


class Arrival(Struct, frozen=True, kw_only=True):
    """A request whose body is not read yet; header names in lower case, ``id`` fresh.

    ``query`` is that of the URL as it came. It can hold a secret, as the headers can: neither is ever logged,
    and ``path`` is without it. ``principal`` is known once the body is. ``began`` is of the clock that
    durations are measured by.
    """

    path: str
    headers: Mapping[str, str]
    id: str
    received: datetime
    intake: Intake
    resource: str | None = None
    query: str = ""
    principal: Principal | None = None
    began: float = field(default_factory=time.perf_counter)

    def __repr__(self) -> str:
        return f"Arrival(path={self.path!r}, id={self.id!r})"


class Door:
    """Takes arrivals and their bodies, gives answers. Nothing here raises or blocks."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        metrics: Metrics,
        guard: Guard,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._max_body_bytes = settings.max_body_bytes
        self._pipeline = pipeline
        self._metrics = metrics
        self._guard = guard
        self._allowed_origins = settings.allowed_origins
        self._systems = settings.systems
        self._now = now
        self.longest_wait = (settings.ack_budget_ms + settings.disk_timeout_ms) / 1_000 + _MARGIN_SECONDS

    def arrive(
        self,
        intake: Intake,
        path: str,
        headers: Mapping[str, str],
        resource: str | None = None,
        query: str = "",
    ) -> Arrival:
        """Note when a request came, and name it. Headers and query have a character for each byte."""
        return Arrival(
            path=path,
            headers=headers,
            id=new_id(),
            received=self._now(),
            intake=intake,
            resource=resource,
            query=query,
        )

    def body(self, arrival: Arrival) -> Body:
        """Give what the body is to be fed to. Raises a Refusal for what its headers announce."""
        if "host" not in arrival.headers:
            raise BadRequest("a request names its host", [Problem("", "header", "header 'host' is required")])
        if arrival.resource is not None and "\ufffd" in arrival.resource:  # a decoder's stand-in
            raise InvalidEncoding("the id in the path is not valid UTF-8")
        return Body(arrival.headers, self._max_body_bytes)

    def take(self, arrival: Arrival, body: Body) -> Promise[Answer]:
        """Give the answer once the event is durable, or refused; ``body`` was fed all that came.

        First it is made sure that the body is whole, and who sent it.
        """
        return slices.run(self.taking(arrival, body))

    def taking(self, arrival: Arrival, body: Body) -> Slices[Promise[Answer]]:
        """The same in slices, for an event loop that is not to be held by a large batch."""
        answer: Promise[Answer] = Promise()
        try:
            content = body.whole()
            principal = self._guard.admit(arrival.headers, arrival.query, body.sent, arrival.received)
            arrival = replace(arrival, principal=principal) if principal else arrival
            self._guard.limit(principal)
        except Refusal as refusal:
            answer.succeed(self.refuse(arrival, refusal))
            return answer
        except Exception as error:  # a bug must let nobody in
            answer.succeed(fault(error, arrival.id))
            return answer
        taken = yield from self._pipeline.accepting(_message(arrival, content))
        taken.then(lambda done: answer.succeed(self._timed(arrival, self._answer(arrival, done))) and None)
        return answer

    def consent(self, rule: str, headers: Mapping[str, str], query: str = "") -> Answer:
        """Answer the handshake of a sender that has not sent anything yet."""
        rate = self._guard.rate(headers, query, self._now())
        return handshake.answer(headers, self._allowed_origins, methods(rule, self._systems), rate)

    def refuse(self, arrival: Arrival, refusal: Refusal) -> Answer:
        """Answer a request that is not looked into."""
        if not isinstance(refusal, Denial):  # a stranger's request is no event
            self._metrics.count(UNKNOWN, Outcome.REJECTED, refusal.type)
        return self._timed(arrival, self._problem(arrival, refusal))

    def fail(self, arrival: Arrival, failure: Failure) -> Answer:
        """Answer a request that is not looked into for a reason of ours."""
        self._metrics.count(UNKNOWN, Outcome.FAILED, failure.type)
        return self._timed(arrival, self._problem(arrival, failure))

    def late(self, arrival: Arrival) -> Answer:
        """Answer a request that nobody answered within the longest wait."""
        return self._timed(
            arrival, self._problem(arrival, Unavailable("the event could not be stored in time"))
        )

    def _timed(self, arrival: Arrival, answer: Answer) -> Answer:
        self._metrics.time_request(time.perf_counter() - arrival.began, answer.status)
        return answer

    def _answer(self, arrival: Arrival, done: Promise[Taken]) -> Answer:
        error = done.exception()
        if isinstance(error, GatewayError):
            return self._problem(arrival, error)
        if error is not None:
            return fault(error, arrival.id)
        taken = done.result()
        if isinstance(taken, Quarantined):
            _log(logging.INFO, "quarantined", arrival, taken.refusal)
            return named(answers.quarantined(taken, arrival.id), arrival.id)
        return named(answers.receipts(taken), arrival.id)

    def _problem(self, arrival: Arrival, error: GatewayError) -> Answer:
        if isinstance(error, Denial):
            self._metrics.count_denial(error.reason)
        if isinstance(error, Refusal):
            _log(logging.INFO, "refused", arrival, error)
        else:
            _log(logging.WARNING, "failed", arrival, error)
        return named(answers.problem(error, arrival.id), arrival.id)


def new_id() -> str:
    """Name a request, as ``uuid.uuid4`` would, but without asking the system for every one.

    Each worker's generator is seeded by the system; the ids tell requests apart, and nothing is kept safe by
    them. Source: RFC 9562 section 5.4, version 4.
    """
    digits = f"{random.getrandbits(128) & _RANDOM | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def named(answer: Answer, request_id: str) -> Answer:
    """Put the request's id on its answer."""
    return Answer(
        answer.status, answer.body, answer.content_type, (*answer.headers, (REQUEST_ID, request_id))
    )


def fault(error: BaseException, request_id: str) -> Answer:
    """Answer for a bug: the sender may send again, the log has the rest."""
    logger.error("unexpected error", exc_info=error, extra={"request": request_id})
    told = InternalError("the gateway failed; the request id is in its log")
    return named(answers.problem(told, request_id), request_id)


def _message(arrival: Arrival, body: bytes) -> Message:
    principal, headers = arrival.principal, arrival.headers
    if "content-encoding" in headers:  # it is undone
        headers = {name: value for name, value in headers.items() if name != "content-encoding"}
    return Message(
        headers=headers,
        body=body,
        id=arrival.id,
        received=arrival.received,
        system=arrival.intake.system,
        resource=arrival.resource,
        update=arrival.intake.update,
        principal=principal.name if principal else None,
        systems=principal.systems if principal else None,
        source=principal.source if principal else None,
    )


def _log(level: int, event: str, arrival: Arrival, error: GatewayError) -> None:
    told = {
        "request": arrival.id,
        "type": error.type,
        "systems": sorted(set(error.systems)),
        "path": arrival.path,
    }
    if arrival.principal:
        told["principal"] = arrival.principal.name
    logger.log(level, event, extra=told)
