"""Traces by OpenTelemetry, for those who switch them on: the one door to its library, which is an extra.

A sender's ``traceparent`` (W3C Trace Context) goes on through three spans, *request*, *prepare* and
*publish*, and as a header of each record, so that consumers go on with it. The ``traceparent`` attribute of a
CloudEvent (its distributed tracing extension, which is of the event and not of this hop) stays what it is.

Nothing that a sender wrote is in a span but its trace context, and who is turned away at the door has none.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.errors import Failure, GatewayError, InternalError
from gateway.haste import NO_HASTE, Haste
from gateway.keeper import Quarantined, Taken
from gateway.model import Health, Message, Placement, Publisher, Record
from gateway.pipeline import Pipeline, Prepared
from gateway.promises import Promise
from gateway.slices import Slices
from gateway.watch import UNWATCHED, Watch

_NAME = "cloudevents-gateway"
_CONTEXT = TraceContextTextMapPropagator()
_CLOSE_SECONDS = 3.0


def exporting() -> TracerProvider:
    """Give what sends spans by OTLP over HTTP, in batches from a thread: to be made after a fork.

    Where to, how often and how many is said by the standard OTEL_* variables, which the library reads.
    """
    service = Resource.create()
    if str(service.attributes[SERVICE_NAME]).startswith("unknown_service"):  # nobody has named it
        service = service.merge(Resource({SERVICE_NAME: _NAME}))
    provider = TracerProvider(resource=service, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Traces:
    """Makes the parts of a gateway that are traced."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_NAME)

    def pipeline(self, **parts: Any) -> Pipeline:
        """Give a pipeline that is traced, of the parts that a ``Pipeline`` is made of."""
        return _TracedPipeline(self._tracer, **parts)

    def publisher(self, publisher: Publisher) -> Publisher:
        """Give a publisher that is traced; with it the spans that are not sent yet are let go."""
        return _TracedPublisher(self._tracer, publisher, self._close)

    def _close(self) -> None:
        """Send what is left, for as long as a stop may wait: a collector may be away."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


class _TracedPipeline(Pipeline):
    def __init__(self, tracer: Tracer, **parts: Any) -> None:
        super().__init__(**parts)
        self._tracer = tracer

    def accepting(self, message: Message) -> Slices[Promise[Taken]]:
        span = self._tracer.start_span(
            "request",
            context=_CONTEXT.extract(message.headers),
            kind=SpanKind.SERVER,
            attributes={"gateway.request.id": message.id, "http.request.body.size": len(message.body)},
            start_time=int(message.received.timestamp() * 1e9),
        )
        with use_span(span):  # each task of an event loop has a context of its own
            taken = yield from super().accepting(message)
        taken.then(lambda done: _end(span, done))
        return taken

    def preparing(self, message: Message, watch: Watch = UNWATCHED) -> Slices[Prepared]:
        # What an exception says can quote the sender: it is not noted.
        with self._tracer.start_as_current_span(
            "prepare", record_exception=False, set_status_on_exception=False
        ):
            return (yield from super().preparing(message, watch))


class _TracedPublisher:
    def __init__(self, tracer: Tracer, publisher: Publisher, closed: Any) -> None:
        self._tracer = tracer
        self._publisher = publisher
        self._closed = closed

    def start(self) -> None:
        self._publisher.start()

    def publish(self, records: Sequence[Record], haste: Haste = NO_HASTE) -> Promise[tuple[Placement, ...]]:
        span = self._tracer.start_span(
            "publish", kind=SpanKind.PRODUCER, attributes={"messaging.batch.message_count": len(records)}
        )
        if len(topics := {record.topic for record in records}) == 1:
            span.set_attribute("messaging.destination.name", *topics)
        carried: dict[str, str] = {}
        _CONTEXT.inject(carried, set_span_in_context(span))
        headers = tuple((name, value.encode()) for name, value in carried.items())
        try:
            published = self._publisher.publish(
                [replace(record, headers=record.headers + headers, size=0) for record in records], haste
            )
        except BaseException:
            span.end()
            raise
        published.then(lambda done: _end(span, done))
        return published

    def healthy(self) -> Health:
        return self._publisher.healthy()

    def close(self) -> None:
        self._publisher.close()
        self._closed()


def _end(span: Span, done: Promise[Any]) -> None:
    error = done.exception()
    if error is None:
        taken = done.result()
        status, told = 202, taken.refusal.type if isinstance(taken, Quarantined) else None
    elif isinstance(error, GatewayError):
        status, told = error.status, error.type
    else:
        status, told = Failure.status, InternalError.type
    span.set_attribute("http.response.status_code", status)
    if told is not None:
        span.set_attribute("error.type", told)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
    span.end()
