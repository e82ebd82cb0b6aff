"""``gateway replay`` on a local log: what was refused is published once what stood in its way is mended."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gateway import app, cli, publishers, settings
from gateway.app import Gateway
from gateway.cli import again, replayed
from gateway.dead_letters import DeadLetters
from gateway.errors import RecordRefused, Unavailable
from gateway.model import Message, Record
from gateway.publishing import local_log_file
from gateway.publishing.file_lock import Lock
from gateway.sources.ctoai import CtoAi
from tests.consumer_schemas import assert_is_envelope
from tests.door import BATCHED
from tests.memory_publisher import MemoryPublisher
from tests.samples import Json, cloudevent, deployed, incident, without
from tests.terminal import Run

TOPIC = "events.deadletter"
BAD = deployed(event_action="wobbled")
OTHERS_ONLY = "tracker,incidents"  # so that CTO.ai's events are nobody's, until it is switched on


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def replay(run: Run, data: Path) -> Callable[..., Result]:
    return lambda *options, **chosen: run("replay", *options, data_dir=str(data), **chosen)


@contextmanager
def gateway(folder: Path, **chosen: str) -> Iterator[Gateway]:
    environ = {settings.variable(name): value for name, value in chosen.items()}
    running = app.build(settings.load(environ | {"GATEWAY_DATA_DIR": str(folder)}))
    running.publisher.start()
    try:
        yield running
    finally:
        running.publisher.close()


def keep(folder: Path, *bodies: Any, path: str = "/events", **chosen: str) -> list[str]:
    """Have a gateway refuse the bodies, and give the ids of the requests."""
    with gateway(folder, systems=OTHERS_ONLY, **chosen) as running:
        client = running.application.test_client()
        answers = [client.post(path, json=body) for body in bodies]
    assert all(400 <= answer.status_code < 500 for answer in answers)
    return [answer.headers["X-Request-Id"] for answer in answers]


def append(folder: Path, *records: Record | None) -> None:
    with gateway(folder) as running:
        running.publisher.publish([record for record in records if record]).result(10)


def stored(folder: Path) -> list[Record]:
    return [
        Record(topic=entry.topic, key=entry.key, value=entry.value, headers=entry.headers)
        for entry in local_log_file.read(folder)
    ]


def published(folder: Path) -> list[Record]:
    return [record for record in stored(folder) if record.topic != TOPIC]


def letters(folder: Path) -> list[Json]:
    return [json.loads(record.value) for record in stored(folder) if record.topic == TOPIC]


def tally(result: Result) -> str:
    return result.stdout.splitlines()[-1]


# -- publishing what was refused ----------------------------------------------------------------------------


def test_what_was_refused_is_published_as_if_it_had_just_been_taken_then(
    replay: Callable[..., Result], data: Path
) -> None:
    (id,) = keep(data, deployed())
    result = replay()
    assert (result.exit_code, tally(result)) == (
        0,
        "read 1, matched 1, published 1, refused again 0, already replayed 0",
    )
    (record,) = published(data)
    assert_is_envelope(record.value)
    envelope = json.loads(record.value)
    assert record.topic == "events.service.deployed"
    assert envelope["receivedTime"] == letters(data)[0]["receivedTime"]
    assert envelope["payload"] == deployed()
    assert dict(record.headers)["ce_id"].decode() == id  # CTO.ai gives none: it is the request's


def test_every_event_of_a_batch_is_published(replay: Callable[..., Result], data: Path) -> None:
    with gateway(data, systems=OTHERS_ONLY) as running:
        batch = json.dumps([cloudevent(id="a"), cloudevent(id="b")])
        client = running.application.test_client()
        assert client.post("/events", data=batch, content_type=BATCHED).status_code == 422
    assert replay().exit_code == 0
    assert [dict(record.headers)["ce_id"] for record in published(data)] == [b"a", b"b"]


def test_what_a_path_said_is_said_again(replay: Callable[..., Result], data: Path) -> None:
    update = without(incident(status="RESOLVED"), "incidentId")
    with gateway(data) as running:
        running.publisher.publish([letter_of(running, update)]).result(10)
    assert replay().exit_code == 0
    (record,) = published(data)
    assert (record.topic, record.key) == ("events.incident.resolved", b"incident/INC-9")
    assert json.loads(record.value)["origin"]["schema"].endswith("/incidents/update.schema.json")


def dead_letters_of(running: Gateway) -> DeadLetters:
    headers = running.pipeline.sources.headers_read
    return app.build_dead_letters(running.settings, running.router, headers)


def letter_of(running: Gateway, update: Json) -> Record:
    """The dead letter of an update that was refused, though it is good."""
    message = Message(
        headers={"content-type": "application/json"},
        body=json.dumps(update).encode(),
        id="r-1",
        received=datetime.now(UTC),
        system="incidents",
        resource="INC-9",
        update=True,
    )
    letter = dead_letters_of(running).of_request(message, RecordRefused("no"))
    assert letter is not None
    return letter.record


def test_a_second_run_publishes_nothing(replay: Callable[..., Result], data: Path) -> None:
    keep(data, deployed(), deployed(repo="other"))
    assert replay("--request", letters(data)[0]["requestId"]).exit_code == 0
    assert tally(replay()) == "read 2, matched 2, published 1, refused again 0, already replayed 1"
    result = replay()
    assert (result.exit_code, tally(result)) == (
        0,
        "read 2, matched 2, published 0, refused again 0, already replayed 2",
    )
    assert len(published(data)) == 2


def test_a_second_run_may_be_told_to_publish_again(replay: Callable[..., Result], data: Path) -> None:
    keep(data, deployed())
    assert [replay("--again").exit_code for _ in range(2)] == [0, 0]
    first, second = published(data)
    assert first == second  # so that consumers know it for a copy


def test_copies_of_a_dead_letter_are_published_once(replay: Callable[..., Result], data: Path) -> None:
    keep(data, deployed())
    append(data, stored(data)[0])
    expected = "read 2, matched 2, published 1, refused again 0, already replayed 1"
    assert [tally(replay("--again")) for _ in range(2)] == [expected, expected]


def test_a_record_that_kafka_refused_is_published_as_it_was(
    replay: Callable[..., Result], data: Path
) -> None:
    with gateway(data, content_mode="structured") as running:
        answer = running.application.test_client().post("/events", json=deployed())
        assert answer.status_code == 202
        makes = dead_letters_of(running)
        letter = makes.of_record(published(data)[0], RecordRefused("Kafka says no"))
    append(data, letter)
    assert replay("--class", "broker", "--system", "ctoai").exit_code == 0
    before, after = published(data)
    assert before == after


def test_nothing_is_published_on_a_dry_run(replay: Callable[..., Result], data: Path) -> None:
    keep(data, deployed(), BAD)
    result = replay("--dry-run")
    assert result.exit_code == 1
    first, second, last = result.stdout.splitlines()
    assert first == f"{TOPIC}/0/0: mapping -> events.service.deployed"
    assert second.startswith(f"{TOPIC}/0/1: mapping schema-violation: ")
    assert last == "read 2, matched 2, would be published 1, refused again 1, already replayed 0"
    assert published(data) == []
    assert tally(replay()) == "read 2, matched 2, published 1, refused again 1, already replayed 0"


def test_without_dead_letters_there_is_nothing_to_do(replay: Callable[..., Result], data: Path) -> None:
    result = replay()
    assert (result.exit_code, result.stdout) == (
        0,
        "read 0, matched 0, published 0, refused again 0, already replayed 0\n",
    )


# -- what cannot be published -------------------------------------------------------------------------------


def test_what_is_refused_again_is_told_and_makes_no_other_dead_letter(
    replay: Callable[..., Result], data: Path
) -> None:
    keep(data, BAD)
    for _ in range(2):
        result = replay()
        assert (result.exit_code, result.stdout) == (
            1,
            f"{TOPIC}/0/0: mapping schema-violation: does not match ctoai/event.schema.json\n"
            "read 1, matched 1, published 0, refused again 1, already replayed 0\n",
        )
    assert len(stored(data)) == 1


def test_what_the_gateway_still_fails_on_is_told(
    replay: Callable[..., Result], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    keep(data, deployed())
    monkeypatch.setattr(CtoAi, "normalise", fails)
    result = replay()
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        1,
        f"{TOPIC}/0/0: mapping internal-error: ZeroDivisionError: a bug",
    )


def test_what_was_too_large_to_keep_is_told(replay: Callable[..., Result], data: Path) -> None:
    noise = os.urandom(60_000).hex()
    keep(data, deployed(noise=noise), max_record_bytes="65536")
    assert letters(data)[0]["request"]["body"] is None
    result = replay()
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{TOPIC}/0/0: mapping not-whole: ")


def test_what_is_no_dead_letter_is_told_and_left_out(replay: Callable[..., Result], data: Path) -> None:
    keep(data, deployed())
    append(data, Record(topic=TOPIC, key=b"k", value=b'{"card":"4111"}', headers=()))
    result = replay()
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{TOPIC}/0/1: no dead letter: ")
    assert tally(result) == "read 2, matched 1, published 1, refused again 0, already replayed 0"


def test_what_kafka_refuses_again_is_told(
    replay: Callable[..., Result], data: Path, memory: MemoryPublisher
) -> None:
    keep(data, deployed())
    memory.fault = RecordRefused("Kafka says no")
    result = replay()
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{TOPIC}/0/0: mapping record-refused: Kafka says no\n")
    memory.fault = None
    assert replay().exit_code == 0


@pytest.fixture
def memory(data: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryPublisher:
    """What ``replay`` publishes to, in place of the local log, once something was kept in that."""
    publisher, builds = MemoryPublisher(), publishers.build

    def build(*arguments: Any, **more: Any) -> Any:
        return publisher if (data / local_log_file.NAME).exists() else builds(*arguments, **more)

    monkeypatch.setattr(publishers, "build", build)
    return publisher


def test_while_nothing_can_be_published_it_tries_again_and_then_stops(
    replay: Callable[..., Result], data: Path, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(data, deployed(), deployed())
    memory.fault = Unavailable("Kafka is away")
    tries: list[None] = []
    monkeypatch.setattr(again, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("time.sleep", tries.append)
    result = replay()
    assert isinstance(result.exception, Unavailable)
    assert tally(result) == "read 2, matched 2, published 0, refused again 0, already replayed 0"
    assert len(tries) > 1


def test_what_becomes_possible_meanwhile_is_published(
    replay: Callable[..., Result], data: Path, memory: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comes_back(seconds: float) -> None:
        memory.fault = None

    keep(data, deployed())
    memory.fault = Unavailable("Kafka is away")
    monkeypatch.setattr("time.sleep", comes_back)
    assert replay().exit_code == 0
    assert len(memory.records) == 1


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str, **chosen: str) -> int:
    """The exit code of the program itself, which is what turns errors into messages."""
    for name, value in chosen.items():
        monkeypatch.setenv(settings.variable(name), value)
    monkeypatch.setattr(sys, "argv", ["gateway", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_one_replay_runs_at_a_time(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(data, deployed())
    lock = Lock(data / "replay.lock")
    assert main(monkeypatch, "replay", data_dir=str(data)) == 1
    assert capsys.readouterr().err == f"another replay is under way in {data}\n"
    lock.close()
    assert main(monkeypatch, "replay") == 0


def test_a_folder_that_cannot_be_written_is_told(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / replayed.NAME).mkdir(parents=True)
    assert main(monkeypatch, "replay", data_dir=str(data)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert replayed.NAME in line


# -- which --------------------------------------------------------------------------------------------------


def test_filters_choose_among_the_dead_letters(replay: Callable[..., Result], data: Path) -> None:
    keep(data, deployed(), BAD)
    keep(data, incident(status=7), path="/events/incidents")
    keep(data, 7, path="/events/tracker")
    ids = [letter["requestId"] for letter in letters(data)]
    times = [datetime.fromisoformat(letter["receivedTime"]) for letter in letters(data)]

    def matched(*options: str) -> int:
        return int(tally(replay(*options, "--dry-run")).split("matched ")[1].split(",")[0])

    assert matched() == 4
    assert [matched("--class", name) for name in ("sender", "mapping", "broker")] == [2, 2, 0]
    systems = ("incidents", "tracker", "unknown", "ibm")
    assert [matched("--system", name) for name in systems] == [1, 1, 2, 0]
    assert matched("--class", "sender", "--system", "tracker") == 1
    assert [matched("--request", id) for id in (*ids, "x")] == [1, 1, 1, 1, 0]
    assert matched("--since", times[1].isoformat()) == 3
    assert matched("--until", times[1].isoformat()) == 1
    assert matched("--since", times[1].isoformat(), "--until", times[3].isoformat()) == 2
    later = datetime.now(UTC) + timedelta(days=1)
    assert matched("--since", later.isoformat()) == 0


@pytest.mark.parametrize("time", ["", "now", "2026-02-03", "2026-02-03T04:05:06"])
def test_a_time_without_an_offset_is_a_mistake_at_the_command_line(
    replay: Callable[..., Result], time: str
) -> None:
    result = replay("--since", time)
    assert result.exit_code == 2
    assert "2026-02-03T04:05:06Z" in result.stderr


# -- at a terminal ------------------------------------------------------------------------------------------


def process(data: Path, stderr: int) -> str:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "replay"],
        env=os.environ | {"GATEWAY_DATA_DIR": str(data), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def test_progress_is_shown_at_a_terminal_only(run: Run, data: Path, tmp_path: Path) -> None:
    keep(data, deployed(), BAD)
    ours, theirs = pty.openpty()
    lines = process(data, theirs).splitlines()
    os.close(theirs)
    assert "100%" in os.read(ours, 65_536).decode()
    os.close(ours)
    assert len(lines) == 2
    with (tmp_path / "stderr").open("w") as output:
        assert len(process(data, output.fileno()).splitlines()) == 2
    assert (tmp_path / "stderr").read_text() == ""
