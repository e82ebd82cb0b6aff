"""The path of one event, on one screen.

Steps 1 to 4 are pure: a message in, records or a refusal out, no I/O; so every door, the command line and
replay share them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from msgspec.structs import replace

from gateway import envelope as envelopes
from gateway import slices
from gateway.denials import Forbidden
from gateway.errors import (
    BatchInvalid,
    EnvelopeMismatch,
    GatewayError,
    InternalError,
    Refusal,
    SchemaViolation,
    TooLarge,
)
from gateway.keeper import Keeper, Taken
from gateway.metrics import Metrics
from gateway.model import (
    Document,
    Envelope,
    Event,
    Fault,
    Message,
    Outcome,
    Placement,
    Problem,
    Publisher,
    Receipt,
    Record,
)
from gateway.publishing.futures import fail, follow, succeed
from gateway.routing import Router
from gateway.schemas import SchemaStore
from gateway.slices import Slices
from gateway.sources import Sources
from gateway.sources.reading import Reader
from gateway.sources.source import Source

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 1_000
SLICE_SECONDS = 0.004


class Pipeline:
    """Takes messages, gives receipts."""

    def __init__(
        self,
        *,
        reader: Reader,
        sources: Sources,
        schemas: SchemaStore,
        router: Router,
        publisher: Publisher,
        keeper: Keeper,
        metrics: Metrics,
        max_record_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; ``max_record_bytes`` must be below what the broker accepts."""
        self.reader = reader
        self.sources = sources
        self.schemas = schemas
        self.router = router
        self.publisher = publisher
        self.keeper = keeper
        self.metrics = metrics
        self._max_record_bytes = max_record_bytes
        self._clock = clock

    def accept(self, message: Message) -> Future[Taken]:
        """Take a message as far as its receipts, one an event, in the order sent. Counts every outcome.

        Does not raise. The future raises a Refusal, or a Failure when the message could not be made durable.
        What is refused becomes a dead letter.
        """
        return slices.run(self.accepting(message))

    def accepting(self, message: Message) -> Slices[Future[Taken]]:
        """The same in slices, for an event loop that is not to be held by a large batch."""
        taken: Future[Taken] = Future()
        try:
            events = yield from self.preparing(message)
        except Refusal as refusal:
            self._count(Outcome.REJECTED, refusal.systems)
            return self.keeper.refuse(message, refusal)
        except Exception:
            bug = self._bug(message, ["unknown"])
            self.keeper.keep(message, bug)
            fail(taken, bug)
            return taken
        try:
            published = self.publisher.publish([event.record for event in events])
        except Exception:
            fail(taken, self._bug(message, [event.envelope.system for event in events]))
        else:
            published.add_done_callback(lambda done: self._finish(message, events, done, taken))
        return taken

    def prepare(self, message: Message) -> tuple[Event, ...]:
        """Steps 1 to 4 for every event of a message; one bad event refuses them all."""
        return slices.run(self.preparing(message))

    def preparing(self, message: Message) -> Slices[tuple[Event, ...]]:
        """The same in slices."""
        if message.system is not None:
            _permit(message, message.system)
        reading = self.reader.read(message)
        events: list[Event] = []
        refusals: list[Refusal] = []
        begun = self._clock()
        for member in reading.members:
            try:
                events.append(self.prepare_one(member))
            except Refusal as refusal:
                refusals.append(refusal)
                if _enough(refusals):
                    break
            if self._clock() - begun > SLICE_SECONDS:
                yield
                begun = self._clock()
        if refusals and reading.batched:
            raise _batch_refusal(refusals, events, reading.events)
        if refusals:
            raise refusals[0]
        return tuple(events)

    def prepare_one(self, document: Document | Refusal) -> Event:
        """Steps 1 to 4 for one event."""
        if isinstance(document, Refusal):
            raise document
        source = self.sources.recognise(document)
        try:
            _permit(document.message, source.name, document.pointer)
            schema = self.validate(source, document)
            envelope = self.normalise(source, document, schema)
            return Event(envelope, self.route(document, envelope))
        except Refusal as refusal:
            refusal.systems = (source.name,)
            raise

    def validate(self, source: Source, document: Document) -> str:
        """Check the document against the schema of its type, and give that schema's name."""
        data = source.fold(document.data)
        schema = source.schema(document if data is document.data else replace(document, data=data))
        problems = self.schemas.check(schema, data, document.pointer)
        mismatches = source.check(document)
        if problems:
            raise SchemaViolation(f"does not match {schema}", sorted([*problems, *mismatches]))
        if mismatches:
            raise EnvelopeMismatch(
                "the CloudEvents attributes must say what the document says", sorted(mismatches)
            )
        return schema

    def normalise(self, source: Source, document: Document, schema: str) -> Envelope:
        """Give the one shape, with names that are safe as keys and headers."""
        envelope = source.normalise(document, self.schemas.id(schema))
        envelopes.check_names(envelope, document.pointer)
        return envelope

    def route(self, document: Document, envelope: Envelope) -> Record:
        """Give the record, unless it is larger than Kafka would take."""
        record = self.router.route(envelope, document.payload)
        if record.size > self._max_record_bytes:
            message = f"the normalised event has {record.size} bytes, over {self._max_record_bytes}"
            raise TooLarge(message, [Problem(document.pointer, "size", message)])
        return record

    def _finish(
        self,
        message: Message,
        events: tuple[Event, ...],
        done: Future[tuple[Placement, ...]],
        taken: Future[Taken],
    ) -> None:
        error = done.exception()
        systems = [event.envelope.system for event in events]
        ends = Counter(zip(systems, _outcomes(done, len(events)), strict=True))
        for (system, outcome), number in ends.items():
            self.metrics.count(system, outcome, number)
        if isinstance(error, Refusal):
            error.fault, error.systems = Fault.BROKER, tuple(systems)
            follow(self.keeper.refuse(message, error), taken)
        elif error:
            fail(taken, error)
        else:
            succeed(taken, tuple(map(Receipt, events, done.result())))

    def _bug(self, message: Message, systems: Iterable[str]) -> InternalError:
        self._count(Outcome.FAILED, systems)
        logger.exception("a message could not be taken", extra={"request": message.id})
        return InternalError("the gateway failed on this request; its id is in the log")

    def _count(self, outcome: Outcome, systems: Iterable[str]) -> None:
        for system, number in Counter(systems).items():
            self.metrics.count(system, outcome, number)


def _outcomes(done: Future[tuple[Placement, ...]], events: int) -> Sequence[Outcome]:
    error = done.exception()
    if error is None:
        return [placement.outcome for placement in done.result()]
    alike = Outcome.REJECTED if isinstance(error, Refusal) else Outcome.FAILED
    return (isinstance(error, GatewayError) and error.outcomes) or [alike] * events


def _permit(message: Message, system: str, pointer: str = "") -> None:
    """Raise Forbidden unless whoever sent the message may send events of a system."""
    if message.systems is not None and system not in message.systems:
        told = f"{message.principal} may not send events of the system {system}"
        refusal = Forbidden(told, [Problem(pointer, "forbidden", told)])
        refusal.systems = (system,)
        raise refusal


def _enough(refusals: Sequence[Refusal]) -> bool:
    """To explain a fault costs far more than to take an event: a batch full of faults is read no further.

    Nor is one with an event that its sender may not send.
    """
    problems = sum(len(refusal.problems) for refusal in refusals)
    return problems >= MAX_PROBLEMS or isinstance(refusals[-1], Forbidden)


def _batch_refusal(refusals: Sequence[Refusal], good: Sequence[Event], events: int) -> Refusal:
    read = len(refusals) + len(good)
    among = f"{events}" if read == events else f"the first {read} of {events}"
    detail = f"{len(refusals)} of {among} events of the batch are refused, so none was published"
    refusal: Refusal = BatchInvalid(detail, [problem for refused in refusals for problem in refused.problems])
    if isinstance(last := refusals[-1], Forbidden):
        refusal = Forbidden(last.detail, last.problems)
    elif all(refused.fault is Fault.MAPPING for refused in refusals):
        refusal.fault = Fault.MAPPING
    refusal.systems = (
        *(system for refused in refusals for system in refused.systems),
        *(event.envelope.system for event in good),
        *["unknown"] * (events - read),
    )
    return refusal
