"""The local log on a disk that fills up, fails and comes back, and under two processes."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import app, settings
from gateway.errors import Overloaded, TooLarge, Unavailable
from gateway.publishing import local_log_file
from gateway.publishing.local_log import LocalLog
from tests.door import told
from tests.publisher_contract import WAIT, eventually
from tests.samples import deployed, record

TOPIC = "events.incident.detected"


@contextmanager
def opened(folder: Path) -> Iterator[LocalLog]:
    log = LocalLog(folder, disk_timeout=10)
    log.start()
    try:
        yield log
    finally:
        log.close()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond: what a full disk looks like to SQLite."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def refused(log: LocalLog) -> bool:
    return isinstance(log.publish([record(TOPIC)]).exception(WAIT), Unavailable)


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for expected in range(3):
        with opened(tmp_path) as log:
            (placement,) = log.publish([record(TOPIC)]).result(WAIT)
            assert placement.offset == expected


def test_reading_where_nothing_was_written_gives_nothing(tmp_path: Path) -> None:
    assert list(local_log_file.read(tmp_path)) == []
    assert local_log_file.end(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_records_are_read_in_the_order_they_were_accepted_across_topics(tmp_path: Path) -> None:
    topics = ["b", "a", "b", "a"]
    with opened(tmp_path) as log:
        log.publish([record(topic) for topic in topics]).result(WAIT)
        entries = list(local_log_file.read(tmp_path))
        assert [(entry.topic, entry.offset) for entry in entries] == [("b", 0), ("a", 0), ("b", 1), ("a", 1)]
        assert local_log_file.end(tmp_path) == entries[-1].position
        assert list(local_log_file.read(tmp_path, after=entries[1].position)) == entries[2:]
        assert list(local_log_file.read(tmp_path, limit=1)) == entries[:1]


def test_a_folder_that_is_a_file_is_told_by_readiness_and_answered_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("in the way")
    with opened(folder) as log:
        assert refused(log)
        assert not log.healthy().ready
        assert str(tmp_path) not in log.healthy().status


def test_readiness_tells_of_a_bad_disk_before_the_first_event(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with opened(tmp_path / "data") as log:
        assert eventually(lambda: not log.healthy().ready)


def test_a_log_recovers_with_the_next_event_once_the_disk_does(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("in the way")
    with opened(folder) as log:
        assert refused(log)
        folder.unlink()
        assert log.publish([record(TOPIC)]).result(WAIT)
        assert log.healthy().ready


def test_readiness_comes_back_without_an_event_once_the_disk_does(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("in the way")
    with opened(folder) as log:
        assert refused(log)
        folder.unlink()
        assert eventually(lambda: log.healthy().ready)


def test_a_full_disk_refuses_whole_requests_and_loses_none_that_it_took(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.publish([record(TOPIC, value=b"1")]).result(WAIT)
        with file_size_limit(65_536):
            big = [record(TOPIC, value=b"2"), record(TOPIC, value=b"x" * 200_000)]
            assert isinstance(log.publish(big).exception(WAIT), Unavailable)
            assert not log.healthy().ready
        (placement,) = log.publish([record(TOPIC, value=b"3")]).result(WAIT)
        assert placement.offset == 1
        assert log.healthy().ready
    assert [entry.value for entry in local_log_file.read(tmp_path)] == [b"1", b"3"]


def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / local_log_file.NAME).write_bytes(b"precious" * 1_000)
    with opened(tmp_path) as log:
        assert refused(log)
    assert (tmp_path / local_log_file.NAME).read_bytes() == b"precious" * 1_000


def test_a_gateway_on_a_bad_disk_answers_503_and_recovers(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("in the way")
    gateway = app.build(settings.load({"GATEWAY_DATA_DIR": str(folder)}))
    client = gateway.application.test_client()
    gateway.publisher.start()
    try:
        answer = client.post("/events", json=deployed())
        assert (answer.status_code, told(answer)["type"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        assert client.get("/readyz").status_code == 503
        folder.unlink()
        assert client.post("/events", json=deployed()).status_code == 202
        assert client.get("/readyz").status_code == 200
    finally:
        gateway.publisher.close()


def test_more_bytes_than_it_may_hold_are_refused_at_once(tmp_path: Path) -> None:
    sent = record(TOPIC)
    log = LocalLog(tmp_path, disk_timeout=10, max_in_flight_bytes=3 * sent.size)
    futures = [log.publish([sent]) for _ in range(4)]  # not started, so nothing is taken off the queue
    assert isinstance(futures[3].exception(0), Overloaded)
    assert not any(future.done() for future in futures[:3])
    assert isinstance(log.publish([sent] * 4).exception(0), TooLarge), "never fits, so no use in waiting"


WRITER = """
import sys
from pathlib import Path
from gateway.publishing.local_log import LocalLog
from tests.samples import record

log = LocalLog(Path(sys.argv[1]), disk_timeout=30)
log.start()
futures = [log.publish([record("t", sys.argv[2], str(n).encode())]) for n in range(100)]
assert all(future.result(30) for future in futures)
log.close()
"""


def test_two_processes_may_write_to_one_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    root = Path(__file__).parent.parent
    writers = [subprocess.Popen([*command, name], cwd=root) for name in ("writer/1", "writer/2")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    entries = list(local_log_file.read(tmp_path, limit=1_000))
    assert [entry.offset for entry in entries] == list(range(200))
    for name in (b"writer/1", b"writer/2"):
        assert [int(entry.value) for entry in entries if entry.key == name] == list(range(100))
