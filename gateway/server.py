"""gunicorn, holding the application: one command starts what a deployment runs."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from gateway import app, settings, shared_metrics, starting
from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.web.asgi import AsgiDoor
from gateway.worker import AsgiWorker, raise_open_files

# Longer than the longest wait for an acknowledgement, so that a stop cuts no request short.
_GRACE_SECONDS = 15


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn with the options this program needs; each worker builds its gateway after the fork."""

    def __init__(self, chosen: Settings, checked: starting.Checked) -> None:
        self._settings = chosen
        self._checked = checked
        self._gateway: app.Gateway | None = None
        self._metrics_folder: Path | None = None
        raise_open_files()
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn its options; called again for a reload (SIGHUP)."""
        for name, value in self.options().items():
            self.cfg.set(name, value)

    def reload(self) -> None:
        """Read settings and credentials again for the next workers; a fault in either changes nothing."""
        self.refresh()
        super().reload()

    def refresh(self) -> None:
        """Read settings and credentials again, and say what is wrong with them."""
        try:
            fresh = settings.load()
            checked = starting.check(fresh)
        except SettingsError as error:
            for fault in error.faults:
                click.echo(f"reload refused, the old settings stay: {fault}", err=True)
        else:
            self._settings, self._checked = fresh, checked
            for warning in checked.warnings:
                click.echo(f"settings: {warning}", err=True)

    def load(self) -> Flask | AsgiDoor:
        """Build and start the gateway in this worker, and give the door that its class can serve."""
        self._gateway = starting.start(self._settings, self._checked, self._metrics_folder)
        _spare_from_collection()
        return self._gateway.asgi if self._settings.door == "asgi" else self._gateway.application

    def options(self) -> dict[str, Any]:
        """Give gunicorn's options, by its own names."""
        if self._settings.workers > 1 and self._metrics_folder is None:
            self._metrics_folder = shared_metrics.folder()
        return {
            "bind": self._settings.bind,
            "workers": self._settings.workers,
            "worker_class": AsgiWorker if self._settings.door == "asgi" else "gthread",
            "threads": self._settings.threads,
            "graceful_timeout": _GRACE_SECONDS,
            "timeout": 60,
            "keepalive": self._settings.idle_timeout_seconds,
            "control_socket_disable": True,
            "loglevel": "warning",
            "worker_exit": self._close,
            "child_exit": self._forget,
            "on_exit": self._tidy,
        }

    def _close(self, _arbiter: object, _worker: object) -> None:
        """Finish what the worker has taken, once its last request is answered."""
        if self._gateway is not None:
            self._gateway.publisher.close()

    def _forget(self, _arbiter: object, worker: Any) -> None:
        if self._metrics_folder is not None:
            shared_metrics.ended(self._metrics_folder, worker.pid)

    def _tidy(self, _arbiter: object) -> None:
        if self._metrics_folder is not None:
            shared_metrics.remove(self._metrics_folder)


def _spare_from_collection() -> None:
    """Leave out of the garbage collector's searches what is there at start, and stays.

    A full collection goes through schemas and routes each time, tens of milliseconds in which the event loop
    stands still.
    """
    gc.collect()
    gc.freeze()


_hosted: list[Server] = []  # at most one: that of a gunicorn which somebody else has started


def options() -> dict[str, Any]:
    """Give the options for a gunicorn that is started by itself, by way of deploy/gunicorn.conf.py.

    Called in its master, again at each SIGHUP. Raises SettingsError, the first time only.
    """
    if _hosted:
        _hosted[0].refresh()
    else:
        chosen = settings.load()
        _hosted.append(Server(chosen, starting.check(chosen)))
    return _hosted[0].options() | {"wsgi_app": f"{__name__}:application()"}


def application() -> Flask | AsgiDoor:
    """Build and start the gateway in a worker of that gunicorn."""
    return _hosted[0].load()
