"""A credentials file with one principal of every kind, and how each of them presents itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from gateway.credentials import Credentials
from gateway.credentials_file import load
from gateway.systems import SYSTEMS
from tests.door import Door

Headers = dict[str, str]

# Nothing of these may ever be seen outside the request. The names have no part of the secrets.
SECRETS = {
    "bearer": "canary-bearer-0123456789",
    "api-key": "canary-apikey-0123456789",
    "basic": "canary-basic-0123456789",
    "query-key": "canary-query-0123456789",
    "github": "canary-github-0123456789",
    "jira": "canary-jira-0123456789",
    "pagerduty": "canary-pagerduty-0123456789",
    "grafana": "canary-grafana-0123456789",
    "sentry": "canary-sentry-0123456789",
    "standard-webhooks": "whsec_" + base64.b64encode(b"canary-standard-0123456789").decode(),
}
HASHED = ("bearer", "api-key", "basic", "query-key")
PROFILES = tuple(name for name in SECRETS if name not in HASHED)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hashed(kind: str, secret: str, id: str = "one", more: str = "") -> str:
    """The lines of a credential that is stored as a hash."""
    return f'[[principals.credentials]]\nkind = "{kind}"\nid = "{id}"\nsha256 = "{sha256(secret)}"\n{more}\n'


def signed(profile: str, secret: str, id: str = "one", more: str = "") -> str:
    """The lines of a credential that signs."""
    proof = f'profile = "{profile}"\nsecret = "{secret}"\n{more}'
    return f'[[principals.credentials]]\nkind = "hmac"\nid = "{id}"\n{proof}\n'


def principal(name: str, *credentials: str, systems: Sequence[str] = SYSTEMS, more: str = "") -> str:
    """The lines of a principal."""
    return "\n".join([f'[[principals]]\nname = "{name}"\nsystems = {list(systems)}\n{more}', *credentials])


def of_every_kind(systems: Sequence[str] = SYSTEMS) -> str:
    """A principal for each kind and profile, which has its name."""
    return "\n".join(principal(kind, credential(kind, SECRETS[kind]), systems=systems) for kind in SECRETS)


def credential(kind: str, secret: str) -> str:
    """The lines of a credential of any kind or profile."""
    if kind not in HASHED:
        return signed(kind, secret)
    return hashed(kind, f"{kind}:{secret}" if kind == "basic" else secret)


def written(folder: Path, text: str) -> Path:
    path = folder / "credentials.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def guarded(folder: Path, text: str, **settings: str) -> Door:
    """A gateway that demands the credentials of a file."""
    return Door(credentials_file=str(written(folder, text)), **settings)


def read(folder: Path, text: str, **environ: str) -> Credentials:
    return load(written(folder, text), environ)[0]


def presented(kind: str, secret: str, body: bytes, now: datetime) -> Headers:
    """The headers of a request of some kind; a key in the query has none."""
    return PRESENTED[kind](secret, body, now)


def query(kind: str, secret: str) -> str:
    return f"access_token={secret}" if kind == "query-key" else ""


def bearer(secret: str) -> Headers:
    return {"authorization": f"Bearer {secret}"}


def basic(user: str, password: str) -> Headers:
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def mac(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def standard(secret: str, body: bytes, timestamp: object, id: str = "msg_1") -> Headers:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


PRESENTED: dict[str, Callable[[str, bytes, datetime], Headers]] = {
    "bearer": lambda secret, body, now: bearer(secret),
    "api-key": lambda secret, body, now: {"x-api-key": secret},
    "basic": lambda secret, body, now: basic("basic", secret),
    "query-key": lambda secret, body, now: {},
    "github": lambda secret, body, now: {"x-hub-signature-256": f"sha256={mac(secret, body)}"},
    "jira": lambda secret, body, now: {"x-hub-signature": f"sha256={mac(secret, body)}"},
    "pagerduty": lambda secret, body, now: {"x-pagerduty-signature": f"v1={mac(secret, body)}"},
    "grafana": lambda secret, body, now: {"x-grafana-alerting-signature": mac(secret, body)},
    "sentry": lambda secret, body, now: {"sentry-hook-signature": mac(secret, body)},
    "standard-webhooks": lambda secret, body, now: standard(secret, body, int(now.timestamp())),
}
