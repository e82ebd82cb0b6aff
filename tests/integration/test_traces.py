"""A trace from a sender through real workers and a real Kafka to a consumer, and to a collector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker

from tests.collector import Collector, collector
from tests.integration.consuming import consume
from tests.integration.processes import command, serving, until
from tests.test_traces import TRACE, TRACEPARENT

EVENT = b'{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}'
HEADERS = {"Content-Type": "application/json", "traceparent": TRACEPARENT}


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


def test_every_worker_sends_its_spans_and_the_last_ones_when_it_is_stopped(
    tmp_path: Path, sink: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # so that only the stop sends them
    with serving(tmp_path, workers="2", tracing="true") as gateway:
        answers = [gateway.send("POST", "/events", EVENT, HEADERS) for _ in range(10)]
        assert {answer.status for answer in answers} == {202}
        assert sink.requests == []
        assert gateway.stop() == 0
    names = sorted(span.name for span in sink.spans)
    assert names == sorted(["prepare", "publish", "request"] * 10)


def test_a_collector_that_is_away_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    with serving(tmp_path, tracing="true") as gateway:
        assert gateway.send("POST", "/events", EVENT, HEADERS).status == 202
        assert gateway.stop() == 0


@pytest.mark.kafka
def test_a_consumer_finds_the_trace_in_the_headers_of_the_record(
    kafka: Broker, tmp_path: Path, sink: Collector
) -> None:
    chosen = {"kafka_bootstrap_servers": kafka.bootstrap, "topic_prefix": "traced"}
    command(["topics", "--create"], tmp_path, **chosen)
    with serving(tmp_path, tracing="true", **chosen) as gateway:  # type: ignore[arg-type]
        until(lambda: gateway.get("/readyz").json["status"] == "Kafka", 60, "Kafka")
        assert gateway.send("POST", "/events", EVENT, HEADERS).status == 202
        gateway.stop()
    (record,) = consume(kafka.bootstrap, ["traced.service.deployed"])
    (publish,) = [span for span in sink.spans if span.name == "publish"]
    assert record.headers["traceparent"].decode() == f"00-{TRACE}-{publish.span_id.hex()}-01"
