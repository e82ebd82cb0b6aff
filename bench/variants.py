"""What is measured, declared once: the baselines, this gateway in each deployment, the ceilings."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from bench.baselines import BROKERS
from bench.bodies import BATCH, LOADS, SINGLE, Load, event_bytes
from bench.ceiling import CLIENT, EVENT_BYTES
from tests.integration.processes import GATEWAY, environment

_ROOT = Path(__file__).parent.parent
SECRET = "a-secret-of-the-bench"
_ACCEPTED = (SINGLE, BATCH)
_GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--log-level", "warning")


@dataclass(frozen=True, slots=True)
class Variant:
    """One system. ``settings`` are the gateway's own by name, or nothing for what is not the gateway.

    ``client`` is the Kafka client, and names the ceiling that the variant is held against.
    """

    name: str
    title: str
    client: str
    command: Sequence[str] = (str(GATEWAY), "serve")
    settings: Mapping[str, str] = field(default_factory=dict)
    loads: Sequence[Load] = _ACCEPTED
    header: str = ""
    # The broker is stopped while it is loaded.
    away: bool = False
    # Times the seconds of a load, for one that answers too few batches otherwise.
    patience: int = 1

    @property
    def is_gateway(self) -> bool:
        return self.command[0] == str(GATEWAY)

    @property
    def ceiling(self) -> str:
        return f"ceiling-{self.client}"

    def environment(self, brokers: str, folder: Path) -> Mapping[str, str]:
        """Give the environment of one start, its data and credentials in that folder."""
        if not self.is_gateway:
            size = str(event_bytes(BATCH))
            own = {BROKERS: brokers, CLIENT: self.client, EVENT_BYTES: size, "PYTHONPATH": str(_ROOT)}
            return environment({}) | own
        settings = {
            "kafka_bootstrap_servers": brokers,
            "data_dir": str(folder / "data"),
            "log_level": "error",
        }
        if self.header:
            settings["credentials_file"] = str(_credentials(folder))
        return environment(settings | dict(self.settings))


def _gateway(door: str, client: str, how: str = "", **more: object) -> Variant:
    extra: dict[str, str] = {}
    if how == "spool":
        extra = {"ack": "spool"}
    if how == "workers":
        extra = {"workers": "2"}
    title = f"gateway, {'Flask' if door == 'flask' else 'ASGI'} door, {client}"
    notes = {
        "": "",
        "spool": ", by the spool (`ack=spool`)",
        "away": ", Kafka stopped: spooling",
        "bearer": ", bearer credential",
        "workers": ", two workers",
    }
    return Variant(
        name="-".join(filter(None, (door, client, how))),
        title=title + notes[how],
        client=client,
        settings={"door": door, "kafka_client": client} | extra,
        loads=LOADS if not how else _ACCEPTED,
        header=f"Authorization: Bearer {SECRET}" if how == "bearer" else "",
        away=how == "away",
    )


VARIANTS: Sequence[Variant] = (
    Variant(
        "naive",
        "naive: Flask (sync, 2 workers), `jsonschema.validate`, `send().get()`",
        "kafka-python",
        (*_GUNICORN, "--workers", "2", "bench.baselines:naive()"),
        patience=3,
    ),
    Variant(
        "competent",
        "competent: Flask (gthread, 32 threads), compiled jsonschema, kafka-python",
        "kafka-python",
        (*_GUNICORN, "--worker-class", "gthread", "--threads", "32", "bench.baselines:competent()"),
    ),
    *(_gateway(door, client) for client in ("kafka-python", "librdkafka") for door in ("flask", "asgi")),
    *(
        _gateway(door, client, how)
        for door, client in (("flask", "kafka-python"), ("asgi", "librdkafka"))
        for how in ("bearer", "spool", "away")
    ),
    _gateway("asgi", "librdkafka", "workers"),
    *(
        Variant(
            f"ceiling-{client}",
            f"ceiling: the same server (ASGI), {client}, body unread",
            client,
            (*_GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "bench.ceiling:Application()"),
        )
        for client in ("kafka-python", "librdkafka")
    ),
)


def available(only: Sequence[str] = ()) -> tuple[Sequence[Variant], Mapping[str, str]]:
    """Give the variants to be measured, and why the others are left out, by name.

    ``only`` are names or patterns such as ``asgi-*``; ``gateway settings`` tells what this gateway can be.
    """
    chosen = [v for v in VARIANTS if not only or any(fnmatch(v.name, pattern) for pattern in only)]
    known = _said("settings")
    left_out, found = {}, []
    for variant in chosen:
        reason = _why_not(variant, known) if variant.is_gateway else ""
        if reason:
            left_out[variant.name] = reason
        else:
            found.append(_without_unknown(variant, known))
    return found, left_out


def _why_not(variant: Variant, known: str) -> str:
    if variant.settings["door"] != "flask" and "`GATEWAY_DOOR`" not in known:
        return "this gateway has no such door"
    try:
        _said("settings", "--current", **_without_unknown(variant, known).settings)
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().splitlines()[-1]
    return ""


def _without_unknown(variant: Variant, known: str) -> Variant:
    """Flask is the door of a gateway that knows no other."""
    kept = {name: value for name, value in variant.settings.items() if f"`GATEWAY_{name.upper()}`" in known}
    return replace(variant, settings=kept)


def _said(*arguments: str, **settings: str) -> str:
    done = subprocess.run(
        [GATEWAY, *arguments],
        env=environment(settings),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def _credentials(folder: Path) -> Path:
    """Write a file with one principal who may send CDEvents."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "credentials.toml"
    path.touch(0o600)
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    path.write_text(
        '[[principals]]\nname = "bench"\nsystems = ["cdevents"]\n'
        f'[[principals.credentials]]\nkind = "bearer"\nid = "bench"\nsha256 = "{digest}"\n'
    )
    return path
