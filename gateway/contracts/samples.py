"""One sample of each type of event: what a sender sends, and what comes out of it.

The requests are the examples beside the schemas; what comes out is what the pipeline makes of them, here and
now. Time of arrival and request id are always the same, so that a sample changes only when its meaning does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway import looking, strict_json
from gateway.errors import Refusal
from gateway.looking import Understood
from gateway.model import Message, Record
from gateway.pipeline import Pipeline
from gateway.web.routes import Intake

RECEIVED = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
_LONG = 4_096
_NAME = re.compile(r"[A-Za-z0-9/._-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that is taken; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    intake: Intake

    @property
    def media_type(self) -> str:
        """Its content type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def is_binary(self) -> bool:
        """Whether part of the event stands in ``ce-`` headers."""
        return any(name.startswith("ce-") for name in self.headers)


@dataclass(frozen=True, slots=True)
class Sample:
    """A request and the event that came of it (of a batch, one of those).

    ``exact``: it is spelled as the schema has it, also where case does not count.
    """

    request: Request
    event: Understood
    alone: bool
    exact: bool

    @property
    def name(self) -> str:
        """Unique among the samples: ``ctoai/service.deployed``, ``incidents/incident.resolved.update``."""
        envelope = self.event.envelope
        update = ".update" if self.request.intake.update else ""
        return f"{envelope.system}/{envelope.subject.type}.{envelope.predicate}{update}"

    @property
    def worth(self) -> tuple[bool, bool, bool, int, int]:
        """How well it shows its type: by itself, exact, short, with many of the common fields filled."""
        details = self.event.envelope.details
        filled = sum(bool(getattr(details, field)) for field in details.__struct_fields__)
        size = len(self.request.body)
        return self.alone, self.exact, size <= _LONG, filled, -size

    def document(self) -> dict[str, Any]:
        """Give it as JSON: the request, and the record that consumers read."""
        request = self.request
        return {
            "name": self.name,
            "request": {
                "method": request.method,
                "path": request.path,
                "headers": dict(request.headers),
                "body": strict_json.parse(request.body),
            },
            "record": record(self.event.record),
        }


def record(made: Record) -> dict[str, Any]:
    """Give a record as JSON."""
    return {
        "topic": made.topic,
        "key": made.key.decode(),
        "headers": {name: value.decode() for name, value in made.headers},
        "value": strict_json.parse(made.value),
    }


def samples(folders: Iterable[Path], intakes: Sequence[Intake], pipeline: Pipeline) -> Mapping[str, Sample]:
    """Give the best sample of each system, subject and predicate, as a first notice and an update, by name.

    ``folders`` are those of schema files, with ``<system>/examples/valid`` in them. What these settings do
    not take, such as the examples of a system that is switched off, is left out; so is what a sender invented
    that makes no good name.
    """
    best: dict[str, Sample] = {}
    fold = {source.name: source.fold for source in pipeline.sources}
    for request in _requests(folders, intakes):
        try:
            events = looking.at_message(pipeline, _message(request))
        except Refusal:
            continue
        for event in events:
            body = strict_json.parse(request.body)
            exact = fold[event.envelope.system](body) == body
            sample = Sample(request, event, len(events) == 1, exact)
            name = sample.name
            if _NAME.fullmatch(name) and (name not in best or sample.worth > best[name].worth):
                best[name] = sample
    return dict(sorted(best.items()))


def _requests(folders: Iterable[Path], intakes: Sequence[Intake]) -> Iterator[Request]:
    for folder in folders:
        for path in sorted(folder.glob("*/examples/valid/*.json")):
            around = _around(path)
            for intake in intakes:
                if around["method"] == intake.method and _fits(intake.rule, around["path"]):
                    headers = {name.lower(): value for name, value in around["headers"].items()}
                    body = path.read_bytes().strip()
                    yield Request(
                        method=around["method"],
                        path=around["path"],
                        headers=headers,
                        body=body,
                        intake=intake,
                    )


def _around(path: Path) -> dict[str, Any]:
    """What the expected file says of the request; without one it is posted to the system's path as JSON."""
    expected = path.parent / "expected" / path.name
    if expected.is_file():
        return dict(json.loads(expected.read_bytes())["request"])
    system = path.parents[2].name
    return {"method": "POST", "path": f"/events/{system}", "headers": {"content-type": "application/json"}}


def _fits(rule: str, path: str) -> bool:
    start, resource, _ = rule.partition("<resource>")
    return path.startswith(start) if resource else path == rule


def _message(request: Request) -> Message:
    start, resource, _ = request.intake.rule.partition("<resource>")
    return Message(
        headers=request.headers,
        body=request.body,
        id=REQUEST_ID,
        received=RECEIVED,
        system=request.intake.system,
        resource=request.path.removeprefix(start) if resource else None,
        update=request.intake.update,
    )
