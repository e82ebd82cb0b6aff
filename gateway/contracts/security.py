"""How a sender proves who it is, how consumers reach the brokers: what is in force, and no secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.credentials import API_KEY, QUERY_KEYS, Credential, Credentials, Kind
from gateway.settings import Settings

Json = dict[str, Any]

_SASL = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}


def schemes(credentials: Credentials | None) -> Json:
    """Give the OpenAPI security schemes of the kinds of credential that somebody has, by name."""
    found: Json = {}
    for principal in credentials.principals if credentials else ():
        for credential in principal.credentials:
            found |= _scheme(credential)
    return dict(sorted(found.items()))


def requirement(names: Iterable[str]) -> list[Json]:
    """Any one of the schemes is enough."""
    return [{name: []} for name in names]


def _scheme(credential: Credential) -> Json:
    kind = credential.kind
    if kind is Kind.HMAC and credential.profile:
        header = credential.profile.header
        told = "An HMAC-SHA256 over the bytes of the body; docs/security.md has the forms."
        return {f"hmac-{header}": {"type": "apiKey", "in": "header", "name": header, "description": told}}
    known: dict[Kind, Json] = {
        Kind.BEARER: {"type": "http", "scheme": "bearer"},
        Kind.BASIC: {"type": "http", "scheme": "basic"},
        Kind.API_KEY: {"type": "apiKey", "in": "header", "name": API_KEY},
        Kind.QUERY_KEY: {"type": "apiKey", "in": "query", "name": QUERY_KEYS[0]},
    }
    return {kind.value: known[kind]} if kind in known else {}


def brokers(settings: Settings, security: str) -> Json:
    """Give the AsyncAPI servers; their addresses only when the settings say so. None without Kafka.

    ``security`` is where the components for security schemes are.
    """
    protocol = "kafka-secure" if settings.kafka_security_protocol.endswith("SSL") else "kafka"
    about: Json = {"protocol": protocol, "description": "Apache Kafka"}
    if settings.kafka_sasl_mechanism:
        about["security"] = [{"$ref": f"{security}sasl"}]
    if not settings.kafka_bootstrap_servers:
        return {}
    if not settings.show_brokers:
        told = "Its operator tells the addresses of the brokers."
        return {
            "kafka": {"host": "{brokers}", "variables": {"brokers": {"description": told}}} | about,
        }
    return {
        f"kafka-{number}": {"host": host} | about
        for number, host in enumerate(settings.kafka_bootstrap_servers, 1)
    }


def sasl(settings: Settings) -> Json:
    """Give the AsyncAPI security schemes."""
    mechanism = settings.kafka_sasl_mechanism
    return {"sasl": {"type": _SASL[mechanism]}} if mechanism else {}
