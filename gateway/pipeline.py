"""The path of one event, on one screen.

Steps 1 to 4 are pure: a message in, records or a refusal out, no I/O; so every door, the command line and
replay share them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gateway import envelope as envelopes
from gateway import refusing, slices
from gateway.endings import Endings
from gateway.errors import EnvelopeMismatch, Refusal, SchemaViolation, TooLarge
from gateway.haste import Hastes
from gateway.keeper import Keeper, Taken
from gateway.metrics import Metrics
from gateway.model import Document, Envelope, Event, Message, Problem, Publisher, Record
from gateway.notices import Notices
from gateway.promises import Promise
from gateway.routing import Router
from gateway.schemas import SchemaStore
from gateway.slices import Slices
from gateway.sources import Sources
from gateway.sources.reading import Reader
from gateway.sources.source import Control, Source
from gateway.watch import UNWATCHED, Step, Watch

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.003


class Prepared(Struct, frozen=True):
    """What a message holds, in the order sent: events, ready to be published, and what is no event."""

    events: tuple[Event, ...]
    controls: tuple[Control, ...] = ()


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
        hastes: Hastes,
        keeper: Keeper,
        metrics: Metrics,
        notices: Notices,
        max_record_bytes: int,
        max_events: int,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; ``max_record_bytes`` must be below what the broker accepts.

        ``max_events`` is the most in one message, whether they come as a batch or as a group, and
        ``max_bytes`` bounds the records of one group, as each holds what the whole group shares.
        """
        self.reader = reader
        self.sources = sources
        self.schemas = schemas
        self.router = router
        self.publisher = publisher
        self.hastes = hastes
        self.keeper = keeper
        self.metrics = metrics
        self._max_record_bytes = max_record_bytes
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._clock = clock
        self._endings = Endings(keeper, metrics, notices)

    def accept(self, message: Message) -> Promise[Taken]:
        """Take a message as far as its receipts, one an event, in the order sent. Counts every outcome.

        Does not raise. The promise raises a Refusal, or a Failure when the message could not be made durable.
        What is refused becomes a dead letter.
        """
        return slices.run(self.accepting(message))

    def accepting(self, message: Message) -> Slices[Promise[Taken]]:
        """The same in slices, for an event loop that is not to be held by a large batch."""
        watch = self.metrics.watch()
        try:
            prepared = yield from self.preparing(message, watch)
        except Refusal as refusal:
            return self._endings.refused(message, refusal)
        except Exception:
            return self._endings.failed(message)
        for control in prepared.controls:
            self._endings.told(message, control)
        watch.restart()
        try:
            taken = self.publish(message, prepared.events)
        except Exception:
            return self._endings.failed(message, prepared.events)
        watch.lap(Step.PUBLISH)
        return taken

    def publish(self, message: Message, events: tuple[Event, ...]) -> Promise[Taken]:
        """Step 5 for all events of a message."""
        began = time.perf_counter()
        haste = self.hastes.of(event.system for event in events)
        published = self.publisher.publish([event.record for event in events], haste)
        return self._endings.when(published, message, events, began)

    def prepare(self, message: Message) -> Prepared:
        """Steps 1 to 4 for every event of a message; one bad event refuses them all."""
        return slices.run(self.preparing(message))

    def preparing(self, message: Message, watch: Watch = UNWATCHED) -> Slices[Prepared]:
        """The same in slices."""
        if message.system is not None:
            refusing.permit(message, message.system)
        timed = None if watch is UNWATCHED else watch
        reading = self.reader.read(message)
        if timed:
            timed.lap(Step.READ)
        events: list[Event] = []
        controls: list[Control] = []
        refusals: list[Refusal] = []
        read = 0
        begun = self._clock()
        for member in reading.members:
            read += 1
            try:
                events += self.prepare_one(member, self._max_events - len(events), controls, timed)
            except Refusal as refusal:
                refusals.append(refusal)
                if refusing.enough(refusals):
                    break
            if self._clock() - begun > SLICE_SECONDS:
                yield
                begun = self._clock()
        if refusals and reading.batched:
            raise refusing.batch(refusals, events, read=read, members=reading.events)
        if refusals:
            raise refusals[0]
        return Prepared(tuple(events), tuple(controls))

    def prepare_one(
        self, document: Document | Refusal, room: int, controls: list[Control], watch: Watch | None
    ) -> Sequence[Event]:
        """Steps 1 to 4 for one document: an event, a group of at most ``room`` events, or none.

        What it holds that is no event joins the ``controls``.
        """
        if isinstance(document, Refusal):
            raise document
        if watch:
            watch.restart()
        source = self.sources.recognise(document)
        if watch:
            watch.lap(Step.RECOGNISE)
        plain = source in self.sources.plain
        size = 1 if plain else source.size(document)
        try:
            if document.message.systems is not None:
                refusing.permit(document.message, source.name, document.pointer)
            if not plain and (control := source.control(document)):
                controls.append(control)
                return ()
            if size > room:
                raise refusing.crowd(document, size, self._max_events)
            schema = self.validate(source, document)
            if watch:
                watch.lap(Step.VALIDATE)
            remark = None if plain else source.remark(document)
            events = self.prepare_each(source, document, schema, watch)
            if remark:
                controls.append(remark)
            return events
        except Refusal as refusal:
            refusal.systems = (source.name,) * max(size, 1)
            raise

    def prepare_each(
        self, source: Source, document: Document, schema: str, watch: Watch | None = None
    ) -> Sequence[Event]:
        """Steps 3 and 4 for every event in a valid document."""
        room = self._max_bytes
        if source in self.sources.plain:
            event = self._event(source, document, schema, watch)
            if event.record.size <= room:
                return (event,)
            raise refusing.swollen(document, room)
        events: list[Event] = []
        refusals: list[Refusal] = []
        for part in source.split(document):
            try:
                events.append(self._event(source, part, schema, watch))
                room -= events[-1].record.size
            except Refusal as refusal:
                refusals.append(refusal)
            if room < 0:
                raise refusing.swollen(document, self._max_bytes)
        if refusals:
            raise refusing.together(refusals)
        return events

    def _event(self, source: Source, document: Document, schema: str, watch: Watch | None) -> Event:
        envelope = self.normalise(source, document, schema)
        if watch:
            watch.lap(Step.NORMALISE)
        record = self.route(document, envelope)
        if watch:
            watch.lap(Step.ROUTE)
        return Event(record, envelope.system, envelope.subject, envelope.predicate)

    def validate(self, source: Source, document: Document) -> str:
        """Check the document against the schema of its type, and give that schema's name."""
        data = source.fold(document.data)
        schema = source.schema(document if data is document.data else replace(document, data=data))
        valid = self.schemas.deciders[schema](data)
        problems = () if valid else self.schemas.check(schema, data, document.pointer)
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
        envelope = source.normalise(document, self.schemas.ids[schema])
        envelopes.check_names(envelope, document.pointer)
        return envelope

    def route(self, document: Document, envelope: Envelope) -> Record:
        """Give the record, unless it is larger than Kafka would take."""
        record = self.router.route(envelope, document.payload)
        if record.size > self._max_record_bytes:
            message = f"the normalised event has {record.size} bytes, over {self._max_record_bytes}"
            raise TooLarge(message, [Problem(document.pointer, "size", message)])
        return record
