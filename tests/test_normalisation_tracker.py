"""What every Tracker event means, row by row as in section 7 of the specifications."""

from __future__ import annotations

from typing import Any

import pytest

from tests.door import Door
from tests.meanings import Row, assert_means, rows
from tests.samples import tracked

# An operation whose status is neither a start nor an end keeps its own words, though the specifications would
# call it finished: that would assert an end that did not happen.
TRACKER = """
    1 success                | service deployed
    1 done                   | service deployed
    1 start                  | deployment start          | custom
    1 failure                | deployment failure        | custom
    1 warning                | deployment warning        | custom
    1 error                  | deployment error          | custom
    1 open                   | deployment open           | custom
    1 close                  | deployment close          | custom
    1 -                      | deployment unspecified    | custom
    2 start                  | taskrun started
    2 open                   | taskrun started
    2 success                | taskrun finished
    2 failure                | taskrun finished
    2 warning                | taskrun finished
    2 error                  | taskrun finished
    2 close                  | taskrun finished
    2 done                   | taskrun finished
    2 -                      | operation unspecified     | custom
    5 start                  | taskrun started
    5 open                   | taskrun started
    5 success                | taskrun finished
    5 failure                | taskrun finished
    5 warning                | taskrun finished
    5 error                  | taskrun finished
    5 close                  | taskrun finished
    5 done                   | taskrun finished
    5 -                      | rpa_usage unspecified     | custom
    3 start                  | environment modified
    3 success                | environment modified
    3 failure                | environment modified
    3 warning                | environment modified
    3 error                  | environment modified
    3 open                   | environment modified
    3 close                  | environment modified
    3 done                   | environment modified
    3 -                      | environment modified
    4 close                  | incident resolved
    4 done                   | incident resolved
    4 success                | incident resolved
    4 close with-ticket      | incident resolved
    4 done with-ticket       | incident resolved
    4 success with-ticket    | incident resolved
    4 start                  | incident detected
    4 failure                | incident detected
    4 warning                | incident detected
    4 error                  | incident detected
    4 open                   | incident detected
    4 -                      | incident detected
    4 start with-ticket      | incident reported
    4 failure with-ticket    | incident reported
    4 warning with-ticket    | incident reported
    4 error with-ticket      | incident reported
    4 open with-ticket       | incident reported
    4 - with-ticket          | incident reported
"""
GUIDE = {"start": 1, "success": 3, "failure": 4, "warning": 5, "error": 6, "open": 7, "close": 8, "done": 9}
PROTO = {"start": 1, "failure": 2, "success": 3, "warning": 4, "error": 5, "open": 9, "close": 10, "done": 11}


def send_to_tracker(door: Door, row: Row, status: dict[str, Any]) -> None:
    type, _, *ticket = row.sent
    links = {"ticket": "OPS-1"} if ticket else None
    assert door.send(tracked(links=links, type=int(type), **status), "/events/tracker").status_code == 202


@pytest.fixture(scope="module")
def proto_door() -> Door:
    return Door(tracker_status_table="proto")


@rows(TRACKER)
def test_a_tracker_event_with_its_status_by_name(door: Door, row: Row) -> None:
    send_to_tracker(door, row, {} if row.sent[1] == "-" else {"status": row.sent[1].upper()})
    assert_means(door, row)


@rows(TRACKER)
def test_a_tracker_event_with_its_status_by_the_numbers_of_the_guide(door: Door, row: Row) -> None:
    send_to_tracker(door, row, {} if row.sent[1] == "-" else {"status": GUIDE[row.sent[1]]})
    assert_means(door, row)


@rows(TRACKER)
def test_a_tracker_event_with_its_status_by_the_numbers_of_the_proto(proto_door: Door, row: Row) -> None:
    proto_door.publisher.forget()
    send_to_tracker(proto_door, row, {} if row.sent[1] == "-" else {"status": str(PROTO[row.sent[1]])})
    assert_means(proto_door, row)


@rows("""
    1 snapshot               | deployment snapshot            | custom
    1 in_progress            | deployment in_progress         | custom
    2 in_progress            | operation in_progress          | custom
    2 planned                | operation planned              | custom
    5 waiting_approval       | rpa_usage waiting_approval     | custom
    5 user_update            | rpa_usage user_update          | custom
    4 recommandation         | incident detected
    3 planned                | environment modified
""")
def test_a_tracker_event_with_a_status_that_only_the_proto_knows(proto_door: Door, row: Row) -> None:
    proto_door.publisher.forget()
    send_to_tracker(proto_door, row, {"status": row.sent[1]})
    assert_means(proto_door, row)


@pytest.mark.parametrize("attributes", [None, {"status": "done"}], ids=["none", "status-alone"])
def test_a_tracker_update_without_a_type_is_only_an_update(door: Door, attributes: Any) -> None:
    document = {"id": "64b"} | ({"attributes": attributes} if attributes else {})
    door.send(document, "/events/tracker", method="PUT")
    assert_means(door, Row([], "event", "updated", "custom"))


@pytest.mark.parametrize("type", [5, 5.0, "5", "rpa_usage", "RPA Usage", "Rpa-Usage"])
@pytest.mark.parametrize("status", [7, 7.0, "7", "open", "OPEN"])
def test_a_tracker_type_and_status_by_number_digits_or_name(door: Door, type: Any, status: Any) -> None:
    door.send(tracked(type=type, status=status))
    assert_means(door, Row([], "taskrun", "started", "cdevents"))
