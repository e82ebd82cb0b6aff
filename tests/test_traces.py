"""Traces: a sender's context goes on through the gateway to the records; without them nothing is there."""

from __future__ import annotations

import builtins
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from gateway import app, settings, starting, tracing
from gateway.errors import SettingsError, Unavailable
from gateway.traces import Traces
from tests.collector import collector
from tests.door import BATCHED, JSON, Door, headers
from tests.samples import ce_headers, cloudevent, deployed

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
OF_THE_EVENT = "00-11111111111111111111111111111111-2222222222222222-01"


class TracedDoor(Door):
    """The same gateway, traced into memory."""

    def __init__(self, **chosen: str) -> None:
        super().__init__(**chosen)
        self.spans_in_memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.spans_in_memory))
        self.gateway = app.build(self.gateway.settings, self.publisher, traces=Traces(provider))
        self.client = self.gateway.application.test_client(use_cookies=False)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.spans_in_memory.get_finished_spans()}


@pytest.fixture
def traced() -> TracedDoor:
    return TracedDoor()


def hex_ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def test_the_context_of_a_sender_goes_on_through_the_gateway_to_the_record(traced: TracedDoor) -> None:
    answer = traced.send(deployed(), headers={"traceparent": TRACEPARENT, "tracestate": "vendor=1"})
    assert answer.status_code == 202
    spans = traced.spans
    assert set(spans) == {"request", "prepare", "publish"}
    assert {hex_ids(span)[0] for span in spans.values()} == {TRACE}
    parents = {name: f"{span.parent.span_id:016x}" for name, span in spans.items() if span.parent}
    request = hex_ids(spans["request"])[1]
    assert parents == {"request": PARENT, "prepare": request, "publish": request}
    (record,) = traced.published
    assert headers(record)["traceparent"] == f"00-{TRACE}-{hex_ids(spans['publish'])[1]}-01"
    assert headers(record)["tracestate"] == "vendor=1"


def test_the_context_of_the_event_itself_is_kept_untouched(traced: TracedDoor) -> None:
    sent = ce_headers(traceparent=OF_THE_EVENT) | {"traceparent": TRACEPARENT}
    traced.send(deployed(), headers=sent)
    (record,) = traced.published
    assert headers(record)["ce_traceparent"] == OF_THE_EVENT
    assert headers(record)["traceparent"].split("-")[1] == TRACE


@pytest.mark.parametrize("sent", [None, "", "nonsense", TRACEPARENT.upper() + "x", "00-0-0-00"])
def test_without_a_context_that_can_be_read_a_trace_begins(traced: TracedDoor, sent: str | None) -> None:
    given = {} if sent is None else {"traceparent": sent}
    assert traced.send(deployed(), headers=given).status_code == 202
    assert traced.spans["request"].parent is None
    (record,) = traced.published
    assert headers(record)["traceparent"].split("-")[1] == hex_ids(traced.spans["request"])[0]


def test_a_context_that_is_not_sampled_stays_so_and_goes_on(traced: TracedDoor) -> None:
    traced.send(deployed(), headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert traced.spans == {}
    (record,) = traced.published
    _, trace, _, flags = headers(record)["traceparent"].split("-")
    assert (trace, flags) == (TRACE, "00")


def test_all_records_of_a_batch_carry_one_context(traced: TracedDoor) -> None:
    traced.send([cloudevent(), cloudevent(id="ce-2")], content_type=BATCHED)
    assert len({headers(record)["traceparent"] for record in traced.published}) == 1
    assert attributes(traced, "publish")["messaging.batch.message_count"] == 2


def attributes(traced: TracedDoor, name: str) -> dict[str, Any]:
    return dict(traced.spans[name].attributes or {})


def test_a_request_is_found_by_its_id_and_tells_how_it_ended(traced: TracedDoor) -> None:
    answer = traced.send(deployed(event_action="wobbled"))
    told = attributes(traced, "request")
    assert told["gateway.request.id"] == answer.headers["X-Request-Id"]
    assert (told["http.response.status_code"], told["error.type"]) == (422, "schema-violation")
    assert traced.spans["request"].status.status_code is StatusCode.UNSET, "the sender's fault, not ours"


def test_a_failure_is_an_error_of_the_span(traced: TracedDoor) -> None:
    traced.publisher.fault = Unavailable("Kafka is away")
    traced.send(deployed())
    assert attributes(traced, "request")["error.type"] == "unavailable"
    assert traced.spans["request"].status.status_code is StatusCode.ERROR
    assert traced.spans["publish"].status.status_code is StatusCode.ERROR


def test_a_publisher_that_raises_ends_its_span_too(traced: TracedDoor) -> None:
    traced.publisher.raises = True
    assert traced.send(deployed()).status_code == 503
    assert set(traced.spans) == {"request", "prepare", "publish"}


def test_nothing_that_the_sender_wrote_is_in_a_span(traced: TracedDoor) -> None:
    secret = {"Authorization": "Bearer of-the-sender", "X-Api-Key": "of-the-sender"}
    traced.send(deployed(repo="of-the-sender"), path="/events?key=of-the-sender", headers=secret)
    traced.send(deployed(event_action="of-the-sender"))
    traced.send(b'{"of-the-sender": ', content_type=JSON)
    exported = [span.to_json() for span in traced.spans_in_memory.get_finished_spans()]
    assert len(exported) >= 7
    assert not [text for text in exported if "of-the-sender" in text]


def test_a_dead_letter_is_part_of_the_trace(traced: TracedDoor) -> None:
    traced.send(deployed(event_action="wobbled"), headers={"traceparent": TRACEPARENT})
    (letter,) = traced.dead_letters
    assert headers(letter)["traceparent"].split("-")[1] == TRACE


# -- off ----------------------------------------------------------------------------------------------------


def test_switched_off_a_record_has_no_header_of_it(door: Door) -> None:
    door.send(deployed(), headers={"traceparent": TRACEPARENT})
    assert "traceparent" not in headers(door.published[0])


def test_switched_off_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; from gateway import settings, starting; starting.check(settings.load({}))\n"
        "found = [name for name in sys.modules if name.startswith('opentelemetry')]\n"
        "sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(f"No module named '{name}'")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "gateway.traces")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsError, match=r"GATEWAY_TRACING: install the extra, pip install .*\[tracing\]"):
        starting.check(settings.load({"GATEWAY_TRACING": "true"}))


# -- sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "service"), [({}, "cloudevents-gateway"), ({"OTEL_SERVICE_NAME": "intake-eu"}, "intake-eu")]
)
def test_spans_are_sent_by_otlp_and_the_last_ones_at_the_stop(
    environ: dict[str, str], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as sink:
        for name, value in ({"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url} | environ).items():
            monkeypatch.setenv(name, value)
        door = Door()
        traces = tracing.build(settings.load({"GATEWAY_TRACING": "true"}))
        gateway = app.build(door.gateway.settings, door.publisher, traces=traces)
        gateway.application.test_client().post(
            "/events", json=deployed(), headers={"traceparent": TRACEPARENT}
        )
        gateway.publisher.close()
        assert {path for path, _ in sink.requests} == {"/v1/traces"}
        assert sorted(span.name for span in sink.spans) == ["prepare", "publish", "request"]
        assert {span.trace_id.hex() for span in sink.spans} == {TRACE}
        assert sink.services == {service}
