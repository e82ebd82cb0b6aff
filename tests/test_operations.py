"""The paths for operators: alive, ready, metrics, schemas; and the count of outcomes."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from gateway.errors import Overloaded, TooLarge, Unavailable
from gateway.model import Document, Envelope, Outcome, Placement
from gateway.sources import Sources
from gateway.sources.ctoai import CtoAi
from tests.door import BATCHED, PROBLEM, Door, told
from tests.examples import SCHEMAS
from tests.samples import bound, cloudevent, deployed, detected

pytestmark = pytest.mark.usefixtures("front")

_SAMPLE = re.compile(r'gateway_events_total\{outcome="(\w+)",reason="([\w-]*)",system="(\w+)"\} (\S+)')


@pytest.fixture
def fresh() -> Door:
    """A gateway that has counted nothing yet."""
    return Door()


def counted(door: Door) -> dict[str, int]:
    """``{"ctoai published": 2}``, as Prometheus reads it, whatever the reasons."""
    total: Counter[str] = Counter()
    for name, number in reasons(door).items():
        total[" ".join(name.split()[:2])] += number
    return dict(total)


def reasons(door: Door) -> dict[str, int]:
    """``{"ctoai rejected too-large": 2, "ctoai published": 1}``."""
    text = door.client.get("/metrics").text
    found = _SAMPLE.findall(text)
    return {f"{system} {outcome} {reason}".strip(): int(float(n)) for outcome, reason, system, n in found}


def outcomes(door: Door) -> Counter[str]:
    """The same, whichever the system."""
    total: Counter[str] = Counter()
    for name, number in counted(door).items():
        total[name.split()[1]] += number
    return total


def test_a_gateway_is_alive_whatever_its_publisher_does(fresh: Door) -> None:
    fresh.publisher.close()
    answer = fresh.client.get("/livez")
    assert (answer.status_code, told(answer)) == (200, {"status": "alive"})


def test_a_gateway_is_ready_as_long_as_its_publisher_is(fresh: Door) -> None:
    answer = fresh.client.get("/readyz")
    assert (answer.status_code, told(answer)) == (200, {"ready": True, "status": "memory"})
    fresh.publisher.close()
    answer = fresh.client.get("/readyz")
    assert (answer.status_code, told(answer)) == (503, {"ready": False, "status": "memory is out of order"})


def test_metrics_are_in_the_text_format_of_prometheus(fresh: Door) -> None:
    fresh.send(deployed())
    answer = fresh.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    assert "# TYPE gateway_events_total counter" in answer.text


def test_the_schemas_are_listed_and_served_as_they_are(fresh: Door) -> None:
    listed = told(fresh.client.get("/schemas/"))["schemas"]
    files = {f"/schemas/{path.relative_to(SCHEMAS).as_posix()}" for path in SCHEMAS.rglob("*.schema.json")}
    assert set(listed) == files
    for path in listed:
        answer = fresh.client.get(path.replace("+", "%2B"))
        assert answer.content_type == "application/schema+json"
        assert answer.data == (SCHEMAS / path.removeprefix("/schemas/")).read_bytes()


@pytest.mark.parametrize("path", ["../pyproject.toml", "%2e%2e/pyproject.toml", "ctoai/examples/x", "ctoai"])
def test_nothing_but_schemas_is_served(fresh: Door, path: str) -> None:
    answer = fresh.client.get(f"/schemas/{path}")
    assert (answer.status_code, answer.content_type) == (404, PROBLEM)


# -- one outcome for every event ----------------------------------------------------------------------------

MIXED = [cloudevent(), bound(detected()), cloudevent(id="ce-3")]
HALF_BAD = [cloudevent(), cloudevent(deployed(event_action="wobbled"))]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        pytest.param(deployed(), "application/json", {"ctoai published": 1}, id="one"),
        pytest.param(MIXED, BATCHED, {"ctoai published": 2, "cdevents published": 1}, id="batch"),
        pytest.param([], BATCHED, {}, id="empty batch"),
        pytest.param(deployed(event_action=1), "application/json", {"ctoai rejected": 1}, id="bad one"),
        pytest.param(HALF_BAD, BATCHED, {"ctoai rejected": 2}, id="batch with a bad one"),
        pytest.param(b"{", "application/json", {"unknown rejected": 1}, id="no json"),
        pytest.param({}, "application/json", {"unknown rejected": 1}, id="of nobody"),
        pytest.param({}, "text/plain", {"unknown rejected": 1}, id="no media type"),
        pytest.param(b"1".ljust(1_048_577), "application/json", {"unknown rejected": 1}, id="too large"),
        pytest.param([7] * 1_001, BATCHED, {"unknown rejected": 1_001}, id="batch too long"),
    ],
)
def test_every_event_is_counted_once(
    fresh: Door, body: Any, content_type: str, expected: dict[str, int]
) -> None:
    fresh.send(body, content_type=content_type)
    assert counted(fresh) == expected


def test_a_good_member_of_a_bad_batch_is_counted_under_its_own_system(fresh: Door) -> None:
    fresh.send([bound(detected()), HALF_BAD[1]], content_type=BATCHED)
    assert counted(fresh) == {"cdevents rejected": 1, "ctoai rejected": 1}


@pytest.mark.parametrize(
    ("fault", "status", "type", "retry_after"),
    [
        (Unavailable("Kafka is away"), 503, "unavailable", "5"),
        (Overloaded("too much is waiting"), 503, "overloaded", "1"),
        (RuntimeError("a bug"), 503, "internal-error", "5"),
    ],
    ids=["unavailable", "overloaded", "bug"],
)
def test_a_publisher_that_fails_is_told_to_the_sender_who_may_send_again(
    fresh: Door, fault: Exception, status: int, type: str, retry_after: str
) -> None:
    fresh.publisher.fault = fault
    answer = fresh.send(MIXED, content_type=BATCHED)
    assert (answer.status_code, told(answer)["type"]) == (status, type)
    assert answer.content_type == PROBLEM
    assert answer.headers["Retry-After"] == retry_after
    assert counted(fresh) == {"ctoai failed": 2, "cdevents failed": 1}


def test_an_event_that_the_broker_finds_too_large_is_rejected_not_failed(fresh: Door) -> None:
    fresh.publisher.fault = TooLarge("Kafka refuses the event as too large")
    answer = fresh.send(deployed())
    assert (answer.status_code, told(answer)["type"]) == (413, "too-large")
    assert counted(fresh) == {"ctoai rejected": 1}


def test_a_bug_in_a_source_is_503_and_counted_as_failed(fresh: Door) -> None:
    class Buggy(CtoAi):
        def normalise(self, document: Document, schema_id: str) -> Envelope:
            raise ZeroDivisionError("a bug; the secret is 1234")

    fresh.gateway.pipeline.sources = Sources([Buggy()])
    answer = fresh.send(deployed())
    assert (answer.status_code, told(answer)["type"]) == (503, "internal-error")
    assert answer.headers["Retry-After"]
    assert b"1234" not in answer.data
    assert outcomes(fresh) == {"failed": 1}
    assert fresh.published == []


def test_a_publisher_that_raises_instead_of_answering_is_503_and_counted_as_failed(fresh: Door) -> None:
    fresh.publisher.raises = True
    answer = fresh.send(deployed())
    assert (answer.status_code, told(answer)["type"]) == (503, "internal-error")
    assert outcomes(fresh) == {"failed": 1}


def test_an_event_that_is_stored_after_the_answer_is_counted_when_it_is() -> None:
    door = Door(ack_budget_ms="50", disk_timeout_ms="50")
    door.publisher.silent = True
    answer = door.send(deployed())
    assert (answer.status_code, told(answer)["type"]) == (503, "unavailable")
    assert counted(door) == {}
    (late,) = door.publisher.unanswered
    late.succeed((Placement(Outcome.PUBLISHED, 0, 0),))
    assert counted(door) == {"ctoai published": 1}


def test_a_spooled_event_is_202_without_a_place_yet(fresh: Door) -> None:
    fresh.publisher.spooling = True
    answer = fresh.send(deployed())
    assert answer.status_code == 202
    (receipt,) = told(answer)["events"]
    assert (receipt["outcome"], receipt["partition"], receipt["offset"]) == ("spooled", None, None)
    assert counted(fresh) == {"ctoai spooled": 1}


def test_the_log_names_the_request_but_not_the_payload(fresh: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        answer = fresh.send(deployed(event_action="wobbled", card="4111-1111"))
    (entry,) = [record for record in caplog.records if record.getMessage() == "refused"]
    assert vars(entry)["request"] == answer.headers["X-Request-Id"]
    assert "4111" not in json.dumps([str(vars(record)) for record in caplog.records])
