"""What a sender is told of each event, and that a batch is all or nothing."""

from __future__ import annotations

from tests.door import BATCHED, Door, headers, pointers, told
from tests.samples import bound, cloudevent, deployed, detected, without


def test_receipts_come_in_the_order_sent(door: Door) -> None:
    batch = [cloudevent(), bound(detected()), cloudevent(id="ce-3")]
    answer = door.send(batch, content_type=BATCHED)
    deployed_receipt = {
        "id": "ce-1",
        "source": "/sender",
        "subject": {"type": "service", "id": "shop"},
        "predicate": "deployed",
        "topic": "events.service.deployed",
        "key": "service/shop",
        "outcome": "published",
        "partition": 0,
        "offset": 0,
    }
    detected_receipt = {
        "id": "e-1",
        "source": "/monitoring",
        "subject": {"type": "incident", "id": "checkout-4417"},
        "predicate": "detected",
        "topic": "events.incident.detected",
        "key": "incident/checkout-4417",
        "outcome": "published",
        "partition": 0,
        "offset": 0,
    }
    last = deployed_receipt | {"id": "ce-3", "offset": 1}
    assert told(answer) == {"events": [deployed_receipt, detected_receipt, last]}
    assert [headers(record)["ce_id"] for record in door.published] == ["ce-1", "e-1", "ce-3"]


def test_an_empty_batch_gives_an_empty_list(door: Door) -> None:
    answer = door.send([], content_type=BATCHED)
    assert (answer.status_code, told(answer)) == (202, {"events": []})


def test_a_batch_with_one_bad_member_publishes_nothing_and_names_it(door: Door) -> None:
    bad = cloudevent(without(deployed(event_action="wobbled"), "team_id"))
    answer = door.send([cloudevent(), bad, cloudevent(), 7], content_type=BATCHED)
    assert (answer.status_code, told(answer)["type"]) == (422, "batch-invalid")
    assert pointers(answer) == [
        "/1/data/event_action",
        "/1/data/team_id",
        "/3",
    ]
    assert door.published == []
