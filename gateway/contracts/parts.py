"""What the contracts are generated from: the very parts that serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.credentials import Credentials
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.web.routes import Intake

VERSION = version("cloudevents-gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one gateway. ``folders`` are those of schema files, with the examples in them."""

    settings: Settings
    credentials: Credentials | None
    intakes: Sequence[Intake]
    pipeline: Pipeline
    folders: Sequence[Path]

    @property
    def guarded(self) -> bool:
        """Whether a sender has to prove who it is."""
        return self.credentials is not None

    @property
    def limited(self) -> bool:
        """Whether anybody can send too often."""
        principals = self.credentials.principals if self.credentials else ()
        return self.settings.rate_limit is not None or any(p.rate for p in principals)
