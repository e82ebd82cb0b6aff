"""CTO.ai workflow events: the 21 built-in events of a delivery life cycle, and custom ones.

Source: the vendor's page "Workflow Events" (January 2021). Its events carry neither an id nor a time.
"""

from __future__ import annotations

from typing import Any

from gateway.model import Details, Document, Envelope, Reference, Subject
from gateway.sources.source import (
    Pair,
    Source,
    event_time,
    first,
    identity,
    labels,
    origin,
    relative_source,
    text_of,
    word,
)

_SCHEMA = "ctoai/event.schema.json"

# event_name -> event_action -> (subject, predicate). Where CDEvents has no word for it, the sender's own
# noun and verb stay: nothing is bent to a predicate that asserts what did not happen.
MEANING: dict[str, dict[str, Pair]] = {
    "change": {
        "initiated": ("change", "created"),
        "succeeded": ("change", "merged"),
        "failed": ("change", "failed"),
        "recovered": ("change", "recovered"),
    },
    "ticket": {
        "initiated": ("ticket", "created"),
        "todo": ("ticket", "updated"),
        "inprogress": ("ticket", "updated"),
        "readyforreview": ("ticket", "updated"),
        "done": ("ticket", "closed"),
    },
    "commit": {
        "initiated": ("change", "created"),
        "succeeded": ("change", "merged"),
        "failed": ("change", "abandoned"),
    },
    "pipeline": {
        "initiated": ("pipelinerun", "started"),
        "succeeded": ("pipelinerun", "finished"),
        "failed": ("pipelinerun", "finished"),
    },
    "review": {
        "initiated": ("review", "initiated"),
        "succeeded": ("change", "reviewed"),
        "failed": ("change", "reviewed"),
    },
    "approval": {
        "initiated": ("approval", "created"),
        "succeeded": ("approval", "closed"),
        "failed": ("approval", "closed"),
    },
    "artifact_storage": {
        "initiated": ("artifact_storage", "initiated"),
        "succeeded": ("artifact", "published"),
        "failed": ("artifact_storage", "failed"),
    },
    "deployment": {
        "initiated": ("deployment", "initiated"),
        "succeeded": ("service", "deployed"),
        "failed": ("deployment", "failed"),
        # words of the vendor's later pages and plug-ins
        "success": ("service", "deployed"),
        "failure": ("deployment", "failed"),
        "started": ("deployment", "started"),
        "progressing": ("deployment", "progressing"),
        "blocked": ("deployment", "blocked"),
    },
    "release": {
        "initiated": ("release", "initiated"),
        "succeeded": ("artifact", "published"),
        "failed": ("release", "failed"),
    },
    "support_request": {
        "opened": ("ticket", "created"),
        "updated": ("ticket", "updated"),
        "resolved": ("ticket", "closed"),
    },
    "incident": {
        "initiated": ("incident", "detected"),
        "succeeded": ("incident", "resolved"),
        "failed": ("incident", "failed"),
    },
    "recovery": {
        "initiated": ("recovery", "initiated"),
        "succeeded": ("incident", "resolved"),
        "failed": ("recovery", "failed"),
    },
}
_RUNS = {
    "taskrun": ("clone", "lint"),
    "build": ("build",),
    "testsuiterun": (
        "test",
        "unittest",
        "e2e_test",
        "performance_test",
        "security_audit",
        "licensing_audit",
    ),
}
for _subject, _names in _RUNS.items():
    for _name in _names:
        MEANING[_name] = {
            "initiated": (_subject, "started"),
            "succeeded": (_subject, "finished"),
            "failed": (_subject, "finished"),
        }
MEANING["lint"]["warning"] = ("taskrun", "finished")

_OUTCOME = {
    "succeeded": "success",
    "success": "success",
    "warning": "success",
    "recovered": "success",
    "failed": "failure",
    "failure": "failure",
}
_LABELS = ("commit", "branch", "repo", "team_id", "event_name", "event_action")


class CtoAi(Source):
    """CTO.ai, as its senders post it."""

    name = "ctoai"
    title = "CTO.ai workflow events"
    marks = "an object with event_name or event_action"
    body_marks = ("event_name", "event_action")

    def pairs(self) -> frozenset[Pair]:
        """The pairs of the built-in events; custom events have none."""
        return frozenset(pair for actions in MEANING.values() for pair in actions.values())

    def recognise(self, document: Document) -> bool:
        """Either of the two names that no other system uses."""
        data = document.data
        return isinstance(data, dict) and ("event_name" in data or "event_action" in data)

    def schema(self, document: Document) -> str:
        """One schema for all."""
        return _SCHEMA

    def fold(self, data: Any) -> Any:
        """Built-in names and their actions are written in any case; a custom event's words are its own."""
        if not isinstance(data, dict) or not isinstance(data.get("event_name"), str):
            return data
        folded = {"event_name": data["event_name"].lower()}
        if folded["event_name"] not in MEANING:
            return data
        if isinstance(data.get("event_action"), str):
            folded["event_action"] = data["event_action"].lower()
        return data | folded

    def normalise(self, document: Document, schema_id: str) -> Envelope:
        """Built-in events by the table; custom ones keep their own noun and verb in lower case."""
        data = document.data
        name, action = data["event_name"].lower(), data["event_action"].lower()
        built_in = MEANING.get(name)
        noun, predicate = built_in[action] if built_in else (word(name), word(action))
        source, id = identity(document, relative_source(self.name, data["team_id"]), dated=False)
        return self.envelope(
            document,
            id=id,
            source=source,
            subject=Subject(noun, _subject_id(noun, data)),
            predicate=predicate,
            time=event_time(document),
            origin=origin(
                document,
                schema_id,
                id=None,
                type=f"{data['event_name']}.{data['event_action']}",
                source=data["team_id"],
            ),
            details=Details(
                service=Reference(data["repo"]) if text_of(data.get("repo")) else None,
                outcome=_OUTCOME.get(action) if built_in else None,
                labels=labels((label, data.get(label)) for label in _LABELS),
            ),
            open_ended=built_in is None,
        )


def _subject_id(noun: str, data: dict[str, Any]) -> str:
    """A service is its repository; all else is followed by its commit, which the sender repeats."""
    wanted = ("repo", "commit") if noun in ("service", "artifact") else ("commit", "repo")
    return first(*(data.get(member) for member in wanted), data["team_id"]) or data["team_id"]
