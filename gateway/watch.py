"""Times the steps on the path of an event, for those requests that are watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """What is timed; ``read`` and ``publish`` are of the whole request, the others of one event."""

    READ = "read"
    RECOGNISE = "recognise"
    VALIDATE = "validate"
    NORMALISE = "normalise"
    ROUTE = "route"
    PUBLISH = "publish"


class Watch:
    """Times steps one after the other; this one does not, which is the usual case."""

    def restart(self) -> None:
        """A step begins, and what came before it is none."""

    def lap(self, step: Step) -> None:
        """A step has ended, and the next begins."""


class Running(Watch):
    """Tells how long each step took, in seconds."""

    def __init__(self, tell: Callable[[Step, float], None]) -> None:
        self._tell = tell
        self._began = time.perf_counter()

    def restart(self) -> None:
        """A step begins now."""
        self._began = time.perf_counter()

    def lap(self, step: Step) -> None:
        """Tell; what that itself takes is in no step."""
        self._tell(step, time.perf_counter() - self._began)
        self._began = time.perf_counter()


UNWATCHED = Watch()
