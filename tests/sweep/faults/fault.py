"""What a fault is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.sweep.events import Mix
from tests.sweep.load import Answer
from tests.sweep.oracle import Rules
from tests.sweep.stage import Stage

# Longest wait for what happens soon.
SOON = 60.0

USUAL = Mix()
STRICT = Rules()
BROKER_KILLED = Rules(repeats=True)
NO_ROOM = Rules(refuses=True)
GATEWAY_STOPPED = Rules(refuses=True, restarts=True)
STOPPED_BY_A_HUNG_BROKER = Rules(refuses=True, repeats=True, restarts=True)
GATEWAY_KILLED = Rules(repeats=True, restarts=True)


@dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """One row of the table. ``calm`` is the seconds of load before and after."""

    name: str
    title: str
    mix: Mix = USUAL
    rules: Rules = STRICT
    brokers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    calm: float = 3.0

    @abstractmethod
    def play(self, stage: Stage) -> None:
        """Start the gateway, post, and let it happen; Kafka and the gateway are there when it is over."""

    def with_client(self, client: str) -> Fault:
        """Give what this fault is to a gateway with that Kafka client."""
        return self

    def why_not(self) -> str | None:
        """Why this machine cannot play it."""
        return None


def published(answer: Answer) -> bool:
    return answer.outcome == "published"


def spooled(answer: Answer) -> bool:
    return answer.outcome == "spooled"
