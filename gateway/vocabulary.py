"""The subjects and predicates that CDEvents defines, to tell its words from a sender's own.

Source: CDEvents 0.5.1, and approval from the 0.6.0 draft.
"""

from __future__ import annotations

_PREDICATES = {
    "pipelinerun": "queued started finished",
    "taskrun": "started finished",
    "repository": "created modified deleted",
    "branch": "created deleted",
    "change": "created reviewed merged abandoned updated",
    "build": "queued started finished",
    "artifact": "packaged signed published downloaded deleted",
    "testcaserun": "queued started finished skipped",
    "testsuiterun": "queued started finished",
    "testoutput": "published",
    "environment": "created modified deleted",
    "service": "deployed upgraded rolledback removed published",
    "incident": "detected reported resolved",
    "ticket": "created updated closed",
    "approval": "created updated closed",
}
CDEVENTS = frozenset(
    (subject, predicate) for subject, predicates in _PREDICATES.items() for predicate in predicates.split()
)


def is_cdevents(subject: str, predicate: str) -> bool:
    """Whether the pair means what CDEvents says it means; otherwise it is the sender's own."""
    return (subject, predicate) in CDEVENTS
