"""The contracts with senders and consumers, generated from the parts that serve, never written by hand.

Each document is made when it is asked for first, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from gateway.contracts import asyncapi, catalogue, openapi
from gateway.contracts.catalogue import Topic
from gateway.contracts.parts import Parts
from gateway.contracts.samples import Sample, samples


class Contracts:
    """The documents of one gateway."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @cached_property
    def samples(self) -> Mapping[str, Sample]:
        """One sample of each system, subject and predicate, by name."""
        return samples(self.parts.folders, self.parts.intakes, self.parts.pipeline)

    @cached_property
    def topics(self) -> Sequence[Topic]:
        """Every declared topic."""
        pipeline = self.parts.pipeline
        return catalogue.topics(pipeline.router, pipeline.sources, self.samples)

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1 of the intake."""
        return openapi.document(self.parts, self.samples)

    @cached_property
    def asyncapi(self) -> dict[str, Any]:
        """AsyncAPI 3.0 of the topics."""
        return asyncapi.document(self.parts, self.topics, self.samples)
