"""The settings of the connection to Kafka, the same for either client."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from gateway import setting_checks
from gateway.setting_checks import variable

_SASL = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")


class KafkaSettings(BaseModel):
    """Where the brokers are, and how they know us."""

    kafka_bootstrap_servers: tuple[str, ...] = Field(
        (),
        description="host:port of brokers, separated by commas; without it the local log is used",
    )
    show_brokers: bool = Field(False, description="let /asyncapi.json tell the brokers' addresses")
    kafka_client: Literal["kafka-python", "librdkafka"] = Field(
        "kafka-python", description="Kafka client library; librdkafka is much faster and needs its extra"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="SASL mechanism"
    )
    kafka_sasl_username: str | None = Field(None, description="SASL user name")
    kafka_sasl_password: SecretStr | None = Field(None, description="SASL password")
    kafka_sasl_password_file: Path | None = Field(None, description="file that holds the SASL password")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the brokers"
    )
    kafka_ssl_ca_file: Path | None = Field(None, description="CA certificates that sign the brokers'")
    kafka_ssl_certificate_file: Path | None = Field(None, description="client certificate")
    kafka_ssl_key_file: Path | None = Field(None, description="key of the client certificate")

    _split_servers = field_validator("kafka_bootstrap_servers", mode="before")(setting_checks.split)
    _servers = field_validator("kafka_bootstrap_servers")(setting_checks.host_and_port)
    _readable_files = field_validator(
        "kafka_sasl_password_file",
        "kafka_ssl_ca_file",
        "kafka_ssl_certificate_file",
        "kafka_ssl_key_file",
    )(setting_checks.readable)

    @field_validator("kafka_security_protocol")
    @classmethod
    def _sasl_is_whole(cls, value: str, info: ValidationInfo) -> str:
        """The SASL settings are declared before this one; a faulty one among them is told by itself."""
        given = info.data
        passwords = given.get("kafka_sasl_password", True), given.get("kafka_sasl_password_file", True)
        named = given.get("kafka_sasl_mechanism", True) and given.get("kafka_sasl_username", True)
        if value.startswith("SASL") and not (named and any(passwords)):
            raise ValueError(
                f"{value} needs {', '.join(map(variable, _SASL))} or {variable('kafka_sasl_password_file')}"
            )
        return value

    def sasl_password(self) -> str | None:
        """Give the SASL password, from the variable or its file."""
        if self.kafka_sasl_password_file is not None:
            return self.kafka_sasl_password_file.read_text(encoding="utf-8").strip()
        return self.kafka_sasl_password.get_secret_value() if self.kafka_sasl_password else None
