"""The systems that are built in, once: the name of each in settings, paths and labels, and its source.

To add one, write its module in ``gateway/sources/``, its schema and examples in ``schemas/<name>/``, its row
in ``docs/senders.md``, and a line here. Nothing else names it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pydantic import ValidationInfo

from gateway.errors import SettingsError

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
UNKNOWN = "unknown"  # what is counted of a sender that nobody knows
DECLARED = ".toml"  # the ending of a declaration, whose name is the system's
GROUP = "cloudevents_gateway.systems"  # the entry points by which other packages bring theirs
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Known:
    """The systems that there are: what pydantic is given to check their names against."""

    declared: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """What ``all`` means: a package that happens to be installed is no wish to use it."""
        return (*SYSTEMS, *self.declared)

    @property
    def names(self) -> tuple[str, ...]:
        """Every system that can be switched on."""
        return (*self.all, *self.installed)


def known(folder: Path | None) -> Known:
    """Look for declarations in a folder and for packages. Raises SettingsError for names that cannot be."""
    declared = tuple(sorted(path.stem for path in folder.glob(f"*{DECLARED}"))) if folder else ()
    found = Known(declared, tuple(installed()))
    taken = [*SYSTEMS, ALL, UNKNOWN]
    faults = []
    for name in found.declared + found.installed:
        if not _NAME.fullmatch(name):
            faults.append(f"a system cannot be called {name!r}: letters in lower case, digits and '-'")
        elif name in taken:
            faults.append(f"there are two systems called {name!r}")
        taken.append(name)
    if faults:
        raise SettingsError(faults)
    return found


def installed() -> Mapping[str, EntryPoint]:
    """Give the systems that other packages bring, by their names; nothing of them is loaded yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def expand(names: Iterable[str], info: ValidationInfo) -> tuple[str, ...]:
    """Give the names of systems, those that there are in place of ``all``, each once."""
    every = _known(info).all
    named = [name for given in names for name in (every if given == ALL else (given,))]
    return tuple(dict.fromkeys(named))


def check(name: str, info: ValidationInfo) -> str:
    """Demand the name of a system that there is, or ``all``. Raises ValueError, saying which there are."""
    names = _known(info).names
    if name not in (ALL, *names):
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no system {name[:64]!r}{hint}; there are: {', '.join(names)}")
    return name


def _known(info: ValidationInfo) -> Known:
    return info.context if isinstance(info.context, Known) else Known()
