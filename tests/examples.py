"""The examples beside the schemas, as test cases; ``python -m tests.examples`` writes what they give now.

``valid/<name>.json`` is a request body (a form has another ending), ``valid/expected/<name>.json`` the
request around it and the envelopes it becomes. ``invalid`` likewise, with the status, the problem type and
the problems.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from gateway import envelope as envelopes
from gateway import looking, settings
from gateway.app import build
from gateway.errors import Refusal
from gateway.model import Message
from gateway.pipeline import Pipeline
from gateway.systems import SYSTEMS
from gateway.web.routes import intakes

SCHEMAS = Path(__file__).parent.parent / "schemas"
MAPPINGS = SCHEMAS.parent / "deploy" / "mappings"
DECLARED = tuple(sorted(path.stem for path in MAPPINGS.glob("*.toml")))
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Example:
    body_path: Path
    expected_path: Path

    @property
    def system(self) -> str:
        return self.body_path.parent.parent.parent.name

    @property
    def name(self) -> str:
        return f"{self.system}/{self.body_path.stem}"

    @cached_property
    def body(self) -> bytes:
        return self.body_path.read_bytes()

    @cached_property
    def expected(self) -> dict[str, Any]:
        return dict(json.loads(self.expected_path.read_text(encoding="utf-8")))

    @property
    def method(self) -> str:
        return str(self.expected["request"]["method"])

    @property
    def path(self) -> str:
        return str(self.expected["request"]["path"])

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.expected["request"]["headers"])

    def message(self, body: bytes | None = None) -> Message:
        """The message that the door makes of this request, at a fixed time and with a fixed id."""
        for intake in intakes((*SYSTEMS, *DECLARED)):
            start, resource, _ = intake.rule.partition("<resource>")
            matches = self.path.startswith(start) if resource else self.path == intake.rule
            if intake.method == self.method and matches:
                return Message(
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.body if body is None else body,
                    id=REQUEST_ID,
                    received=RECEIVED,
                    system=intake.system,
                    resource=self.path.removeprefix(start) if resource else None,
                    update=intake.update,
                )
        raise AssertionError(f"{self.name}: no such route: {self.method} {self.path}")


def examples(kind: str) -> list[Example]:
    """All examples of a kind, ``valid`` or ``invalid``, found by glob."""
    return [
        Example(path, path.parent / "expected" / f"{path.stem}.json")
        for folder in (SCHEMAS, MAPPINGS)
        for path in sorted(folder.glob(f"*/examples/{kind}/*.*"))
    ]


def pipeline() -> Pipeline:
    """A pipeline whose publisher is never asked, with the declared systems beside those built in."""
    return build(settings.load({settings.variable("mappings_dir"): str(MAPPINGS)})).pipeline


def envelope_of(value: bytes) -> dict[str, Any]:
    """The envelope as a consumer reads it, less the payload, which is the example's own body."""
    envelope = dict(json.loads(value))
    del envelope["payload"]
    return envelope


def outcome(taken: Pipeline, example: Example) -> dict[str, Any]:
    """What the example gives now, in the form of its expected file."""
    try:
        events = looking.at_message(taken, example.message())
    except Refusal as refusal:
        return {
            "status": refusal.status,
            "type": refusal.type,
            "errors": [{"pointer": p.pointer, "keyword": p.keyword} for p in refusal.problems],
        }
    return {
        "records": [
            {
                "id": event.envelope.id,
                "source": event.envelope.source,
                "topic": event.record.topic,
                "key": event.record.key.decode(),
                "envelope": envelopes.to_dict(event.envelope),
            }
            for event in events
        ]
    }


def main() -> None:
    taken = pipeline()
    for kind in ("valid", "invalid"):
        for example in examples(kind):
            before = example.expected
            now = outcome(taken, example)
            if kind == "invalid" and any(now.get(k) != before.get(k) for k in before if k != "request"):
                print(
                    example.name,
                    "expected",
                    {k: before[k] for k in before if k != "request"},
                    "gives",
                    now,
                )
            if kind == "valid" and "records" not in now:
                print(example.name, "is refused", now)
            if "--write" in sys.argv:
                text = json.dumps({"request": before["request"]} | now, indent=2, ensure_ascii=False)
                example.expected_path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
