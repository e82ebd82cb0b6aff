"""Every setting, once: name, type, default and meaning. The table in the README is held to this by a test.

Environment variables ``GATEWAY_<NAME>`` win over the TOML file that ``GATEWAY_CONFIG`` names, in which the
same settings stand in lower case without the prefix.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway import rates, setting_checks
from gateway.errors import SettingsError
from gateway.kafka_settings import KafkaSettings
from gateway.sender_settings import SenderSettings
from gateway.setting_checks import PREFIX, variable
from gateway.systems import ALL, Known, check, expand, known

__all__ = ["CONFIG", "PREFIX", "Settings", "SystemName", "load", "unknown_variables", "variable"]

CONFIG = f"{PREFIX}CONFIG"
SystemName = Annotated[str, AfterValidator(check)]


class _GatewaySettings(BaseModel):
    """Those that are about no single sender, nor about Kafka."""

    bind: str = Field("127.0.0.1:8080", description="host:port to listen on")
    data_dir: Path = Field(Path(".data"), description="folder for the local log and other state")
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="worker processes; a key's order is that of one of them",
    )
    door: Literal["asgi", "flask"] = Field("asgi", description="an event loop, or a thread for each request")
    threads: int = Field(
        32, ge=1, le=1024, description="requests that a worker of the Flask door serves at once"
    )
    read_timeout_seconds: int = Field(10, ge=1, le=300, description="longest wait for more of a request")
    idle_timeout_seconds: int = Field(75, ge=1, le=3600, description="longest rest of a kept connection")
    max_connections: int = Field(10_000, ge=10, description="most open connections of one worker")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="how much is logged")

    tracing: bool = Field(
        False,
        description="send traces by OTLP over HTTP, as the OTEL_* variables say; needs the extra tracing",
    )

    mappings_dir: Path | None = Field(None, description="folder of declarations of more systems")
    systems: tuple[SystemName, ...] = Field(
        (ALL,),
        validate_default=True,
        description="systems that are switched on, separated by commas; all for every one that is built "
        "in or declared",
    )

    max_body_bytes: int = Field(
        1_048_576, ge=65_536, le=16_777_216, description="largest request body, packed and unpacked"
    )
    max_batch_events: int = Field(1_000, ge=1, le=10_000, description="most events in one batch or group")
    max_record_bytes: int = Field(
        1_000_000,
        ge=65_536,
        description="largest record; keep it below the broker's message.max.bytes",
    )
    max_in_flight_bytes: int = Field(
        67_108_864,
        ge=1_048_576,
        description="most bytes waiting for an acknowledgement in one worker",
    )
    ack: Literal["auto", "broker", "spool"] = Field(
        "auto",
        description="a 2xx means: in Kafka, or in the spool when Kafka is slow or away; always in Kafka; "
        "always in the spool first",
    )
    ack_budget_ms: int = Field(
        500, ge=10, le=800, description="longest wait for Kafka before the spool, or 503 with ack=broker"
    )
    disk_timeout_ms: int = Field(3_000, ge=50, le=3_000, description="longest wait for the disk before 503")
    spool_max_bytes: int = Field(
        1_073_741_824, ge=65_536, description="most bytes of records in the spool of one worker"
    )
    spool_alarm_seconds: int = Field(
        600, ge=1, description="age of the oldest spooled record at which readiness and the log say so"
    )
    dead_letters: bool = Field(
        True, description="keep what is refused in the topic <prefix>.deadletter, with the reason"
    )
    quarantine_systems: tuple[SystemName, ...] = Field(
        (),
        description="systems whose refused events are answered 202 once they are a dead letter, "
        "separated by commas",
    )
    duplicate_window_seconds: int = Field(
        0, ge=0, description="how long a repeated event is answered with its first receipt; 0 for never"
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="origins that the OPTIONS handshake admits, separated by commas; * for any"
    )

    credentials_file: Path | None = Field(
        None, description="TOML file of those who may send; without it only this machine may"
    )
    allow_anonymous: bool = Field(
        False, description="let anybody who reaches the gateway send events, whatever address it is bound to"
    )
    rate_limit: str | None = Field(
        None,
        description="most requests of one principal at one worker, such as 600/minute, unless its own is in "
        "the credentials file",
    )

    topic_prefix: str = Field("events", min_length=1, description="first part of every topic")
    topic_template: str = Field(
        "{prefix}.{subject}.{predicate}",
        description="how a topic is named; {prefix}.{subject} keeps all predicates of a subject in order",
    )
    topic_partitions: int = Field(
        -1, ge=-1, description="partitions of topics that are created; -1 for the broker's default"
    )
    topic_replication: int = Field(
        -1, ge=-1, description="replicas of topics that are created; -1 for the broker's default"
    )
    type_prefix: str = Field(
        "dev.cloudevents-gateway", min_length=1, description="first part of the CloudEvents type"
    )
    content_mode: Literal["binary", "structured"] = Field(
        "binary", description="CloudEvents content mode of the records"
    )

    _split = field_validator("systems", "quarantine_systems", "allowed_origins", mode="before")(
        setting_checks.split
    )
    _expanded = field_validator("systems", "quarantine_systems")(expand)
    _some = field_validator("systems")(setting_checks.at_least_one)
    _host_and_port = field_validator("bind")(setting_checks.host_and_port)
    _rate = field_validator("rate_limit")(rates.check)
    _part_of_a_topic = field_validator("topic_prefix")(setting_checks.part_of_a_topic)
    _known_fields = field_validator("topic_template")(setting_checks.topic_template)
    _folder = field_validator("mappings_dir")(setting_checks.folder)
    _readable = field_validator("credentials_file")(setting_checks.readable)

    @field_validator("allow_anonymous")
    @classmethod
    def _nobody_or_everybody(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("credentials_file"):
            raise ValueError(f"contradicts {variable('credentials_file')}: who has no credential is refused")
        return value


class Settings(SenderSettings, KafkaSettings, _GatewaySettings):
    """All settings of one gateway; frozen. The bases are named last first."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment and the TOML file. Raises SettingsError with every fault."""
    environ = os.environ if environ is None else environ
    given = {name: environ.get(variable(name)) for name in Settings.model_fields}
    chosen = _from_file(environ.get(CONFIG)) | {n: v for n, v in given.items() if v}
    there = _known(chosen)
    try:
        return Settings.model_validate(chosen, context=there)
    except ValidationError as error:
        raise SettingsError([_fault(item) for item in error.errors(include_url=False)]) from None


def there_are(environ: Mapping[str, str] | None = None) -> Known:
    """Give the systems that there are, whatever else the settings say. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    given = environ.get(variable("mappings_dir"))
    return _known(_from_file(environ.get(CONFIG)) | ({"mappings_dir": given} if given else {}))


def _known(chosen: Mapping[str, Any]) -> Known:
    folder = chosen.get("mappings_dir")
    return known(Path(folder) if isinstance(folder, str) else None)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Name each ``GATEWAY_`` variable that is no setting, with the nearest that is.

    Told, not refused: Kubernetes sets ``GATEWAY_SERVICE_HOST`` and the like beside a Service of that name.
    """
    known = [variable(name) for name in Settings.model_fields] + [CONFIG]
    told = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            told.append(f"{name} is not a setting{f'; did you mean {near[0]}?' if near else ''}")
    return told


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError([f"{CONFIG}: cannot read {path}: {error}"]) from None


def _fault(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{variable(str(item['loc'][0]))}: {message}" if item["loc"] else message
