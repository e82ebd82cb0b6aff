"""What the metrics tell, and of whom: one process in memory, or all workers by way of files."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from gateway import app, problems, settings, shared_metrics
from gateway.errors import Unavailable
from gateway.metrics import COUNTED, PREFIX, SHOWN, Metrics, series
from gateway.model import Outcome
from gateway.systems import SYSTEMS
from gateway.watch import Step
from tests.door import BATCHED, Door
from tests.samples import cloudevent, deployed, without
from tests.test_operations import reasons

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def read(text: str) -> dict[str, float]:
    """``{'gateway_kafka_up': 1.0}``; a name with its labels as they are written."""
    return {f"{n}{{{labels}}}" if labels else n: float(value) for n, labels, value in _LINE.findall(text)}


@pytest.fixture
def fresh() -> Door:
    return Door()


@pytest.fixture
def folder() -> Iterator[Path]:
    """What workers share; afterwards this process writes to its memory again."""
    made = shared_metrics.folder()
    yield made
    shared_metrics.write_to(None)
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    shared_metrics.remove(made)
    assert not made.exists()


# -- what is counted ----------------------------------------------------------------------------------------


def test_a_published_event_has_no_reason(fresh: Door) -> None:
    fresh.send(deployed())
    assert reasons(fresh) == {"ctoai published": 1}


def test_a_refused_event_is_counted_by_the_problem_type_of_its_answer(fresh: Door) -> None:
    fresh.send(without(deployed(), "team_id"))
    fresh.send(b"{")
    fresh.send({}, content_type="text/plain")
    fresh.send([cloudevent(), cloudevent(deployed(event_action="wobbled"))], content_type=BATCHED)
    assert reasons(fresh) == {
        "ctoai rejected schema-violation": 1,
        "unknown rejected malformed-json": 1,
        "unknown rejected unsupported-media-type": 1,
        "ctoai rejected batch-invalid": 2,
    }


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Unavailable("Kafka is away"), "unavailable"), (RuntimeError("a bug"), "internal-error")],
    ids=["away", "bug"],
)
def test_a_failed_event_is_too(fresh: Door, fault: Exception, reason: str) -> None:
    fresh.publisher.fault = fault
    fresh.send(deployed())
    assert reasons(fresh) == {f"ctoai failed {reason}": 1}


def test_every_label_comes_from_a_closed_set(fresh: Door) -> None:
    fresh.send(deployed(event_name="custom", event_action="of my own", team_id="evil_label"))
    fresh.send(deployed(event_action="evil_label"))
    fresh.client.get("/evil_label")
    values = dict(re.findall(r'(system|outcome|reason)="([^"]*)"', fresh.client.get("/metrics").text))
    assert set(values["system"].split()) <= {*SYSTEMS, "unknown"}
    assert set(values["reason"].split()) <= {kind.type for kind in problems.types()}
    assert "evil_label" not in fresh.client.get("/metrics").text


def test_every_request_is_timed_by_its_status(fresh: Door) -> None:
    fresh.send(deployed())
    fresh.send(deployed(event_action="wobbled"))
    fresh.send(b"", content_type="text/plain")
    shown = read(fresh.client.get("/metrics").text)
    assert shown['gateway_request_seconds_count{status="202"}'] == 1
    assert shown['gateway_request_seconds_count{status="422"}'] == 1
    assert shown['gateway_request_seconds_count{status="415"}'] == 1


def test_an_acknowledgement_is_timed_by_how_the_request_ended(fresh: Door) -> None:
    fresh.send([cloudevent(), cloudevent(id="ce-2")], content_type=BATCHED)
    fresh.publisher.spooling = True
    fresh.send(deployed())
    shown = read(fresh.client.get("/metrics").text)
    assert shown['gateway_ack_seconds_count{outcome="published"}'] == 1
    assert shown['gateway_ack_seconds_count{outcome="spooled"}'] == 1


def test_the_steps_of_one_request_in_sixteen_are_timed(fresh: Door) -> None:
    for _ in range(17):
        fresh.send([cloudevent(), cloudevent(id="ce-2")], content_type=BATCHED)
    shown = read(fresh.client.get("/metrics").text)
    counts = {step: shown[f'gateway_step_seconds_count{{step="{step}"}}'] for step in Step}
    per_event = dict.fromkeys(("recognise", "validate", "normalise", "route"), 4)
    assert counts == {"read": 2, **per_event, "publish": 2}


def test_every_series_is_one_that_is_declared(fresh: Door, tmp_path: Path) -> None:
    chosen = settings.load(
        {"GATEWAY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "GATEWAY_DATA_DIR": str(tmp_path)}
    )
    metrics = Metrics()
    app.build(chosen, metrics=metrics)
    metrics.count("ctoai", Outcome.PUBLISHED)
    for shown in (metrics.exposition().decode(), fresh.client.get("/metrics").text):
        for name, labels, _ in _LINE.findall(shown):
            assert series()[name] >= set(re.findall(r"(\w+)=", labels))
    assert {name for name, _, _ in _LINE.findall(metrics.exposition().decode())} >= {
        f"{PREFIX}{name}" for name in SHOWN
    }


def test_buckets_rise_and_end_with_the_longest_that_an_answer_takes() -> None:
    for counted in COUNTED.values():
        assert all(low < high for low, high in pairwise(counted.buckets))
    longest = Door().gateway.door.longest_wait
    assert COUNTED["request_seconds"].buckets[-1] > longest


def test_with_ack_broker_it_is_shown_whether_kafka_is_up(tmp_path: Path) -> None:
    environ = {"GATEWAY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "GATEWAY_ACK": "broker"}
    metrics = Metrics()
    app.build(settings.load(environ | {"GATEWAY_DATA_DIR": str(tmp_path)}), metrics=metrics)
    shown = read(metrics.exposition().decode())
    assert shown["gateway_kafka_up"] == 0
    assert "gateway_spool_records" not in shown


# -- several workers ----------------------------------------------------------------------------------------


def worker(folder: Path, events: int, gauges: dict[str, float]) -> int:
    """A worker that counts, shows and ends; gives its process number. Its files stay."""
    pid = os.fork()
    if pid == 0:
        metrics = Metrics(folder)
        metrics.count("ctoai", Outcome.PUBLISHED, events=events)
        metrics.time_request(0.002, 202)
        first = shared_metrics.repeat
        try:
            shared_metrics.repeat = lambda work: work()  # at once, and once
            metrics.show(lambda: gauges)
        finally:
            shared_metrics.repeat = first
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return pid


EVENTS = 'gateway_events_total{outcome="published",reason="",system="ctoai"}'
REQUESTS = 'gateway_request_seconds_count{status="202"}'
UP = {"kafka_up": 1.0, "spool_records": 2.0, "spool_oldest_seconds": 7.0}
DOWN = {"kafka_up": 0.0, "spool_records": 3.0, "spool_oldest_seconds": 5.0}


def test_one_scrape_tells_of_all_workers(folder: Path) -> None:
    worker(folder, 3, UP)
    worker(folder, 4, DOWN)
    shown = read(Metrics(folder).exposition().decode())
    assert (shown[EVENTS], shown[REQUESTS]) == (7, 2)
    assert shown["gateway_kafka_up"] == 0, "one that cannot reach Kafka is not hidden by the others"
    assert shown["gateway_spool_records"] == 5
    assert shown["gateway_spool_oldest_seconds"] == 7


def test_what_an_ended_worker_counted_stays_and_what_it_showed_does_not(folder: Path) -> None:
    first, second = worker(folder, 3, UP), worker(folder, 4, DOWN)
    shared_metrics.ended(folder, first)
    shown = read(shared_metrics.exposition(folder).decode())
    assert (shown[EVENTS], shown[REQUESTS], shown["gateway_spool_records"]) == (7, 2, 3)
    shared_metrics.ended(folder, second)
    shown = read(shared_metrics.exposition(folder).decode())
    assert (shown[EVENTS], shown[REQUESTS]) == (7, 2)
    assert "gateway_spool_records" not in shown


def test_the_files_do_not_become_more_with_every_worker_that_ended(folder: Path) -> None:
    shared_metrics.ended(folder, worker(folder, 1, UP))
    files = {file.name for file in folder.iterdir()}
    for _ in range(3):
        shared_metrics.ended(folder, worker(folder, 1, UP))
    assert {file.name for file in folder.iterdir()} == files
    assert read(shared_metrics.exposition(folder).decode())[EVENTS] == 4


def test_a_worker_that_wrote_nothing_may_end_too(folder: Path) -> None:
    shared_metrics.ended(folder, 1)
    assert shared_metrics.exposition(folder) == b""


def test_the_process_that_only_forks_writes_no_files(folder: Path) -> None:
    Metrics(folder)
    before = set(folder.iterdir())
    Metrics().count("ctoai", Outcome.PUBLISHED)
    assert set(folder.iterdir()) == before


def test_the_files_have_their_room_before_they_are_used(folder: Path) -> None:
    """A worker that found none later would be killed, and the next, and whoever adds them up."""
    shared_metrics.ended(folder, worker(folder, 1, UP))
    Metrics(folder)
    files = list(folder.glob("*.db"))
    assert len(files) == 7
    assert all(file.stat().st_blocks * 512 >= file.stat().st_size >= 2**19 for file in files)


def test_a_worker_without_room_counts_for_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    metrics = Metrics(folder)
    metrics.count("ctoai", Outcome.PUBLISHED)
    assert list(folder.glob(f"*_{os.getpid()}.db")) == []
    assert metrics.exposition() is not None


def test_a_folder_that_is_gone_stops_nobody(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Some machines clean their temporary files; the master must live on."""
    pid = worker(folder, 1, UP)
    shared_metrics.remove(folder)
    shared_metrics.ended(folder, pid)
    assert "what a worker counted is lost" in caplog.text
