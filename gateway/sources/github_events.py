"""What GitHub's events mean: issues, deployments, workflow runs, and all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.model import Details, Reference
from gateway.sources.links import first_link
from gateway.sources.source import Pair, first, labels, mapping, text_of, uri_of, word

REPORTED, RESOLVED = ("incident", "reported"), ("incident", "resolved")
OPENED, UPDATED, CLOSED = (("ticket", verb) for verb in ("created", "updated", "closed"))
DEPLOYED = ("service", "deployed")
RUNS: dict[str, Pair] = {
    "requested": ("pipelinerun", "queued"),
    "in_progress": ("pipelinerun", "started"),
    "completed": ("pipelinerun", "finished"),
}
# Closed for any other reason, such as not_planned or duplicate, it was no incident or goes on elsewhere.
_DONE = ("completed", None)
_OWN_ACTIONS = frozenset(("reopened", "deleted", "transferred"))
OUTCOMES = {
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "action_required": "failure",
    "startup_failure": "failure",
    "error": "failure",
    "cancelled": "cancel",
    "skipped": "cancel",
    "stale": "cancel",
    "neutral": "cancel",
}
# What CDEvents has a word for; every other pair is GitHub's own.
PAIRS = frozenset((REPORTED, RESOLVED, OPENED, UPDATED, CLOSED, DEPLOYED, *RUNS.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What an event says; ``subject`` is None where nothing in it has a name.

    The first of ``times`` that is filled counts.
    """

    pair: Pair
    subject: str | None
    times: tuple[Any, ...] = ()
    details: Details


def issue(data: Mapping[str, Any], incident_labels: frozenset[str]) -> Meaning:
    """An issue is an incident or a ticket by its labels of now; ``incident_labels`` in lower case."""
    issue, action = data["issue"], data["action"]
    names = _label_names(issue.get("labels"))
    incident = not incident_labels.isdisjoint(name.lower() for name in names)
    marked = not incident_labels.isdisjoint(name.lower() for name in _label_names([data.get("label")]))
    repository = data["repository"]["full_name"]
    page = uri_of(issue.get("html_url"))
    times = {"opened": (issue.get("created_at"),), "closed": (issue.get("closed_at"),)}.get(action, ())
    return Meaning(
        pair=_issue_pair(issue, action, incident, marked),
        subject=f"{repository}#{text_of(issue['number'])}",
        times=(*times, issue["updated_at"]),
        details=Details(
            description=text_of(issue.get("title")),
            ticket_uri=page,
            actor=_actor(data),
            url=page,
            labels=labels(
                (
                    ("repository", repository),
                    ("labels", ", ".join(names)),
                    ("state_reason", issue.get("state_reason")),
                )
            ),
        ),
    )


def _issue_pair(issue: Mapping[str, Any], action: str, incident: bool, marked: bool) -> Pair:
    """``marked``: the label that was put on it just now, or taken off, is one of an incident."""
    noun = "incident" if incident else "ticket"
    if action in _OWN_ACTIONS:
        return noun, action
    if action == "opened":
        return REPORTED if incident else OPENED
    if action == "closed":
        resolved = incident and issue.get("state_reason") in _DONE
        return RESOLVED if resolved else (noun, "closed")
    if action == "labeled" and marked and issue.get("state") == "open":
        return REPORTED
    return noun, "updated"


def deployment(data: Mapping[str, Any]) -> Meaning:
    """A success deploys a service; every other state is one of the deployment."""
    status, deployment = data["deployment_status"], data["deployment"]
    state, repository = status["state"].lower(), data["repository"]["full_name"]
    environment = first(status.get("environment"), deployment.get("environment"))
    service = "/".join(filter(None, (repository, environment)))
    deployed = state == "success"
    return Meaning(
        pair=DEPLOYED if deployed else ("deployment", word(state)),
        subject=service if deployed else text_of(deployment["id"]),
        times=(status.get("created_at"), status.get("updated_at")),
        details=Details(
            description=text_of(status.get("description")),
            environment=Reference(environment) if environment else None,
            service=Reference(service),
            artifact_id=text_of(deployment.get("sha")),
            outcome=OUTCOMES.get(state),
            actor=_actor(data),
            url=first_link(status.get("target_url"), status.get("log_url")),
            labels=labels(
                (
                    ("repository", repository),
                    ("ref", deployment.get("ref")),
                    ("task", deployment.get("task")),
                )
            ),
        ),
    )


def run(data: Mapping[str, Any]) -> Meaning:
    """An attempt to run a workflow; a run that is started again is another attempt of the same id."""
    run, action = data["workflow_run"], data["action"]
    attempt = text_of(run.get("run_attempt"))
    return Meaning(
        pair=RUNS.get(action, ("workflow_run", word(action))),
        subject="/".join(filter(None, (text_of(run["id"]), attempt))),
        times=(run.get("updated_at"),),
        details=Details(
            description=text_of(run.get("name")),
            artifact_id=text_of(run.get("head_sha")),
            outcome=OUTCOMES.get(str(run.get("conclusion"))) if action == "completed" else None,
            actor=_actor(data),
            url=uri_of(run.get("html_url")),
            labels=labels(
                (
                    ("repository", data["repository"]["full_name"]),
                    ("branch", run.get("head_branch")),
                    ("conclusion", run.get("conclusion")),
                )
            ),
        ),
    )


def other(event: str, data: Mapping[str, Any]) -> Meaning:
    """GitHub's own noun and verb, about the repository or organisation that it happened in."""
    repository = mapping(data.get("repository"))
    owner = mapping(data.get("organization"))
    return Meaning(
        pair=(word(event), word(text_of(data.get("action")) or "unspecified")),
        subject=first(repository.get("full_name"), owner.get("login")),
        details=Details(
            actor=_actor(data),
            url=uri_of(repository.get("html_url")),
            labels=labels((("repository", repository.get("full_name")),)),
        ),
    )


def _actor(data: Mapping[str, Any]) -> str | None:
    return text_of(mapping(data.get("sender")).get("login"))


def _label_names(given: Any) -> list[str]:
    held = given if isinstance(given, list) else []
    return [name for label in held if (name := text_of(mapping(label).get("name")))]
