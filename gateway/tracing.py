"""Whether this gateway is traced: the library for it is an extra, imported only where it is switched on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import SettingsError
from gateway.settings import Settings, variable

if TYPE_CHECKING:
    from gateway import traces

    Traces: TypeAlias = traces.Traces


def check(settings: Settings) -> None:
    """Raise SettingsError when it is switched on and the extra is not installed."""
    try:
        if settings.tracing:
            importlib.import_module("gateway.traces")
    except ImportError as error:
        told = f"install the extra, pip install 'cloudevents-gateway[tracing]' ({error})"
        raise SettingsError([f"{variable('tracing')}: {told}"]) from None


def build(settings: Settings) -> Traces | None:
    """Give what traces, or None: in a worker, since it starts a thread."""
    if not settings.tracing:
        return None
    from gateway import traces

    return traces.Traces(traces.exporting())
