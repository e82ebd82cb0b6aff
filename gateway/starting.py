"""From settings to a gateway that serves: everything checked and read once, then built in every worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import app, credentials_file, exposure, logs, systems, tracing
from gateway.credentials import Credentials
from gateway.errors import SettingsError
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.sources import declarations
from gateway.sources.declarations import Folder


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read before it is served, and what is unwise about it."""

    credentials: Credentials | None = None
    warnings: Sequence[str] = ()
    mappings: Folder | None = None


def check(settings: Settings) -> Checked:
    """Make sure that this can be served, and give what was read. Raises SettingsError."""
    faults: list[str] = []
    credentials: Credentials | None = None
    warnings: Sequence[str] = ()
    mappings: Folder | None = None
    try:
        mappings = declarations.read(settings.mappings_dir)
        app.build(settings, mappings=mappings)
    except SettingsError as error:
        faults += error.faults
    steps: tuple[Callable[[Settings], object], ...] = (exposure.check, tracing.check)
    for step in steps:
        try:
            step(settings)
        except SettingsError as error:
            faults += error.faults
    try:
        if settings.credentials_file:
            there = systems.known(settings.mappings_dir)
            credentials, warnings = credentials_file.load(settings.credentials_file, known=there)
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(faults)
    return Checked(credentials, warnings, mappings)


def start(settings: Settings, checked: Checked, metrics_folder: Path | None = None) -> app.Gateway:
    """Build, and start publishing: what a worker process does after its fork.

    ``metrics_folder`` is what it shares with other workers, if there are any.
    """
    logs.configure(settings.log_level)
    gateway = app.build(
        settings,
        credentials=checked.credentials,
        metrics=Metrics(metrics_folder),
        traces=tracing.build(settings),
        mappings=checked.mappings,
    )
    gateway.publisher.start()
    return gateway
