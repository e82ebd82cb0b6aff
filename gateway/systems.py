"""The systems that are built in, once: the name of each in settings, paths and labels, and its source.

To add one, write its module in ``gateway/sources/``, its schema and examples in ``schemas/<name>/``, its row
in ``docs/senders.md``, and a line here. Nothing else names it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

BUILT_IN: Mapping[str, str] = {
    "cdevents": "gateway.sources.cdevents:CDEvents",
    "ctoai": "gateway.sources.ctoai:CtoAi",
    "ibm": "gateway.sources.ibm:Ibm",
    "tracker": "gateway.sources.tracker:Tracker",
    "incidents": "gateway.sources.incidents:Incidents",
    "alertmanager": "gateway.sources.alertmanager:Alertmanager",
    "grafana": "gateway.sources.grafana:Grafana",
    "pagerduty": "gateway.sources.pagerduty:PagerDuty",
    "jira": "gateway.sources.jira:Jira",
    "github": "gateway.sources.github:GitHub",
    "servicenow": "gateway.sources.servicenow:ServiceNow",
    "datadog": "gateway.sources.datadog:Datadog",
    "googlecloud": "gateway.sources.googlecloud:GoogleCloud",
    "azuremonitor": "gateway.sources.azuremonitor:AzureMonitor",
    "cloudwatch": "gateway.sources.cloudwatch:CloudWatch",
    "uptimekuma": "gateway.sources.uptimekuma:UptimeKuma",
    "sentry": "gateway.sources.sentry:Sentry",
}
SYSTEMS = tuple(BUILT_IN)
ALL = "all"


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Give the names of systems, ``all`` in place of every one that is built in, each once."""
    named = [name for given in names for name in (SYSTEMS if given == ALL else (given,))]
    return tuple(dict.fromkeys(named))


def check(name: str) -> str:
    """Demand the name of a system that there is, or ``all``. Raises ValueError, saying which there are."""
    if name not in (ALL, *SYSTEMS):
        near = difflib.get_close_matches(name, SYSTEMS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no system {name[:64]!r}{hint}; there are: {', '.join(SYSTEMS)}")
    return name
