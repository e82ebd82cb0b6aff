"""What the client has, and has not told the end of."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gateway.publishing.client import Lane
from gateway.publishing.request import Item


class UnderWay:
    """Items, each lane in the order it was sent; used under its owner's lock."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, dict[Item, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __contains__(self, lane: Lane) -> bool:
        """Whether the client has a record of that topic and key."""
        return lane in self._lanes

    def add(self, items: Iterable[Item]) -> None:
        """The client has them, behind all others."""
        lanes = self._lanes
        for item in items:
            item.with_client = True
            record = item.record
            lane = record.topic, record.key
            if lane in lanes:
                lanes[lane][item] = None
            else:
                lanes[lane] = {item: None}

    def remove(self, item: Item) -> None:
        """It has ended."""
        record = item.record
        lane = record.topic, record.key
        items = self._lanes[lane]
        if len(items) == 1 and item in items:
            del self._lanes[lane]
        else:
            del items[item]

    def waiting(self) -> list[Item]:
        """Give what would be lost with the client, lane by lane."""
        return self.waiting_in(self._lanes)

    def waiting_on(self, topics: Collection[str]) -> list[Item]:
        """Give those of some topics."""
        return self.waiting_in([lane for lane in self._lanes if lane[0] in topics])

    def waiting_in(self, lanes: Collection[Lane]) -> list[Item]:
        """Give those of some lanes."""
        return [item for lane in lanes for item in self._lanes.get(lane, ()) if item.waits]
