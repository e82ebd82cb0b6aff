"""What becomes of a refused request: a dead letter, made behind the answer or, in quarantine, before it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from gateway.dead_letters import DeadLetter, DeadLetters
from gateway.denials import Denial
from gateway.errors import Failure, GatewayError, Refusal
from gateway.metrics import Metrics
from gateway.model import Message, Placement, Publisher, Receipt, Record
from gateway.promises import Promise
from gateway.publishing.in_flight import InFlight

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The answer to a sender that must not be refused: its request lies in the dead letters."""

    refusal: Refusal
    record: Record
    placement: Placement


Taken = tuple[Receipt, ...] | Quarantined


class Keeper:
    """Publishes dead letters, and counts them. Nothing that goes wrong here changes another's answer."""

    def __init__(
        self,
        dead_letters: DeadLetters,
        publisher: Publisher,
        metrics: Metrics,
        *,
        quarantine: Collection[str],
        max_in_flight_bytes: int,
    ) -> None:
        """``quarantine`` names systems; the bytes bound the dead letters that are not stored yet."""
        self._dead_letters = dead_letters
        self._publisher = publisher
        self._metrics = metrics
        self._quarantine = frozenset(quarantine)
        self._under_way = InFlight(max_in_flight_bytes)
        self._losing = False

    def refuse(self, message: Message, refusal: Refusal) -> Promise[Taken]:
        """Keep a refused request; the promise raises the refusal, at once.

        In quarantine it waits until the request is kept, and raises a Failure when it cannot be.
        """
        answer: Promise[Taken] = Promise()
        kept = self.keep(message, refusal)
        if kept is None or not kept[0].whole or not self._in_quarantine(message, refusal):
            answer.fail(refusal)
        else:
            letter, placed = kept
            placed.then(lambda done: _answer(refusal, letter.record, done, answer))
        return answer

    def keep(
        self, message: Message, error: GatewayError
    ) -> tuple[DeadLetter, Promise[tuple[Placement, ...]]] | None:
        """Publish a dead letter in the background; None when there is none. Does not raise.

        There is none of a Denial: who may not send must not fill the dead letters either.
        """
        if isinstance(error, Denial):
            return None
        try:
            letter = self._dead_letters.of_request(message, error)
            if letter is None:
                return None
            placed = self._publish(letter.record)
        except Exception:
            logger.exception("a dead letter could not be made", extra={"request": message.id})
            self._metrics.count_dead_letter(error.fault, kept=False)
            return None
        placed.then(lambda done: self._count(error, done))
        return letter, placed

    def _publish(self, record: Record) -> Promise[tuple[Placement, ...]]:
        if crowded := self._under_way.reserve([record]):
            refused: Promise[tuple[Placement, ...]] = Promise()
            refused.fail(crowded)
            return refused
        try:
            placed = self._publisher.publish([record])
        except Exception:
            self._under_way.release([record])
            raise
        placed.then(lambda _: self._under_way.release([record]))
        return placed

    def _count(self, error: GatewayError, done: Promise[tuple[Placement, ...]]) -> None:
        lost = done.exception()
        self._metrics.count_dead_letter(error.fault, kept=lost is None)
        if lost is not None and not self._losing:
            logger.error("dead letters are lost", extra={"error": f"{type(lost).__name__}: {lost}"})
        elif lost is None and self._losing:
            logger.info("dead letters are kept again")
        self._losing = lost is not None

    def _in_quarantine(self, message: Message, refusal: Refusal) -> bool:
        systems = {message.system} if message.system else set(refusal.systems)
        return systems <= self._quarantine


def _answer(
    refusal: Refusal, record: Record, done: Promise[tuple[Placement, ...]], answer: Promise[Taken]
) -> None:
    lost = done.exception()
    if lost is None:
        answer.succeed(Quarantined(refusal, record, done.result()[0]))
    else:
        answer.fail(lost if isinstance(lost, Failure) else refusal)
