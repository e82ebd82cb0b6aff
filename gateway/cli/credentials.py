"""``gateway credentials``: make secrets, and the lines of the credentials file that go with them."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from gateway.cli.system_names import SystemType
from gateway.credentials import QUERY_KEYS, Kind
from gateway.signatures import PROFILES
from gateway.systems import ALL

_BYTES = 32
_MADE = [kind.value for kind in Kind if kind is not Kind.SNS]  # whose key is Amazon's own
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@click.group()
def credentials() -> None:
    """Make credentials for those who may send."""


@credentials.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(_MADE), default="bearer", show_default=True)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="github", help="How an hmac is made.")
@click.option(
    "--system",
    "systems",
    type=SystemType(),
    multiple=True,
    help="What NAME may send; repeatable. Without it: everything.",
)
def new(name: str, kind: str, profile: str, systems: Sequence[str]) -> None:
    """Print the lines of the credentials file for NAME, and on standard error a fresh secret.

    The secret of an hmac is part of the lines, as it takes the secret itself to check a signature. Of any
    other the file has the hash alone.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter("may hold letters, digits, '.', '_' and '-', 64 at most", param_hint="NAME")
    secret = _secret(kind, profile)
    click.echo(_lines(name, Kind(kind), profile, systems or [ALL], secret))
    click.echo(f"the secret, which is not shown again: {_use(Kind(kind), name, secret)}", err=True)


def _secret(kind: str, profile: str) -> str:
    if kind == Kind.HMAC and profile == "standard-webhooks":
        return f"whsec_{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"
    return secrets.token_urlsafe(_BYTES)


def _lines(name: str, kind: Kind, profile: str, systems: Sequence[str], secret: str) -> str:
    listed = ", ".join(f'"{system}"' for system in systems)
    presented = f"{name}:{secret}" if kind is Kind.BASIC else secret
    digest = hashlib.sha256(presented.encode()).hexdigest()
    proof = (
        [f'profile = "{profile}"', f'secret = "{secret}"'] if kind is Kind.HMAC else [f'sha256 = "{digest}"']
    )
    return "\n".join(
        [
            "[[principals]]",
            f'name = "{name}"',
            f"systems = [{listed}]",
            "",
            "# for a principal that is there already, these lines alone, below its others",
            "[[principals.credentials]]",
            f'kind = "{kind}"',
            f'id = "{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(2)}"',
            *proof,
        ]
    )


def _use(kind: Kind, name: str, secret: str) -> str:
    return {
        Kind.BEARER: f"Authorization: Bearer {secret}",
        Kind.API_KEY: f"X-Api-Key: {secret}",
        Kind.BASIC: f"user {name}, password {secret}",
        Kind.QUERY_KEY: f"?{QUERY_KEYS[0]}={secret}",
        Kind.HMAC: secret,
    }[kind]
