"""The TOML file of principals and credentials, checked whole: all faults told, no secret quoted."""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from gateway import formats, rates, signatures, sns_signatures
from gateway.credentials import Credential, Credentials, Kind, Principal
from gateway.errors import SettingsError
from gateway.setting_checks import at_least_one, variable
from gateway.settings import SystemName
from gateway.signatures import NAMED_BY_THE_USER, PROFILES, Profile
from gateway.sns_signatures import SnsKey
from gateway.systems import Known, expand

_SHORT = 16
_MOST_KEYS = 64
_NOTHING = hashlib.sha256(b"").digest()
_NOBODY_ELSE = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP

ProfileName = Literal["github", "jira", "pagerduty", "grafana", "sentry", "standard-webhooks"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
SourceName = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(formats.uri_reference)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$"), AfterValidator(str.lower)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Hashed(_Part):
    kind: Literal["bearer", "api-key", "basic", "query-key"]
    id: Name
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    expires: AwareDatetime | None = None


class _Signed(_Part):
    kind: Literal["hmac"]
    id: Name
    profile: ProfileName
    secret: str | None = Field(None, min_length=1)
    secret_file: Path | None = None
    secret_env: str | None = None
    header: HeaderName | None = None
    timestamp_header: HeaderName | None = None
    expires: AwareDatetime | None = None


class _SignedBySns(_Part):
    kind: Literal["sns"]
    id: Name
    certificate_file: Path
    topics: list[Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:")]] = Field(min_length=1)
    sha1: bool = False
    expires: AwareDatetime | None = None


class _Principal(_Part):
    name: Name
    systems: tuple[SystemName, ...]
    rate: Annotated[str, AfterValidator(rates.check)] | None = None
    source: SourceName | None = None
    credentials: list[Annotated[_Hashed | _Signed | _SignedBySns, Field(discriminator="kind")]] = Field(
        min_length=1
    )

    _expanded = field_validator("systems")(expand)
    _some = field_validator("systems")(at_least_one)


class _File(_Part):
    principals: list[_Principal] = Field(min_length=1)


class _Faults(list[str]):
    """What is wrong with the file, and what is only unwise."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []


def load(
    path: Path, environ: Mapping[str, str] | None = None, known: Known | None = None
) -> tuple[Credentials, Sequence[str]]:
    """Read the file and the secrets it names; give warnings too. Raises SettingsError with every fault.

    ``known`` are the systems that there are, when there are more than those built in.
    """
    environ = os.environ if environ is None else environ
    faults = _Faults()
    principals: list[Principal] = []
    try:
        read = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")), context=known)
        faults.warnings += _warnings_of_mode(path)
        principals = [_principal(item, path.parent, environ, faults) for item in read.principals]
        faults += _clashes(principals)
    except ValidationError as error:
        faults += [_told(item) for item in error.errors(include_url=False, include_input=False)]
    except OSError as error:
        faults.append(f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        faults.append("is not UTF-8")
    except tomllib.TOMLDecodeError as error:
        faults.append(f"is not TOML: {error}")
    if faults:
        raise SettingsError([f"{variable('credentials_file')}: {path}: {fault}" for fault in faults])
    return Credentials(principals), [f"{path}: {warning}" for warning in faults.warnings]


def _principal(item: _Principal, folder: Path, environ: Mapping[str, str], faults: _Faults) -> Principal:
    credentials = []
    for number, given in enumerate(item.credentials):
        place = f"principal {item.name}, credential {given.id}"
        if isinstance(given, _Hashed):
            made = _hashed(given)
            if made.secret == _NOTHING:
                faults.append(f"{place}: sha256 is that of nothing at all")
        elif isinstance(given, _SignedBySns):
            made = _of_sns(given, place, folder, faults)
        else:
            made = _signed(given, place, folder, environ, faults)
        if made.expires and made.expires <= datetime.now(UTC):
            faults.warnings.append(f"{place} has expired")
        if given.id in [other.id for other in item.credentials[:number]]:
            faults.append(f"{place}: another one has the same id")
        credentials.append(made)
    return Principal(
        name=item.name,
        systems=frozenset(item.systems),
        credentials=tuple(credentials),
        rate=item.rate,
        source=item.source,
    )


def _hashed(given: _Hashed) -> Credential:
    secret = bytes.fromhex(given.sha256)
    return Credential(id=given.id, kind=Kind(given.kind), secret=secret, expires=given.expires)


def _signed(
    given: _Signed, place: str, folder: Path, environ: Mapping[str, str], faults: _Faults
) -> Credential:
    key = b""
    try:
        key = signatures.key(given.profile, _secret(given, folder, environ))
        if not key:
            faults.append(f"{place}: the secret is empty")
        elif len(key) < _SHORT:
            faults.warnings.append(f"{place}: the secret is shorter than {_SHORT} bytes")
    except _NoSecret as error:
        faults.append(f"{place}: {error}")
    except ValueError:
        faults.append(f"{place}: the secret is not what {given.profile} calls one: whsec_ and base64")
    if (given.header or given.timestamp_header) and given.profile not in NAMED_BY_THE_USER:
        faults.append(f"{place}: the headers of {given.profile} have names of their own")
    profile = _profile(given)
    return Credential(id=given.id, kind=Kind.HMAC, secret=key, profile=profile, expires=given.expires)


def _profile(given: _Signed) -> Profile:
    profile = PROFILES[given.profile]
    if given.header:
        profile = replace(profile, header=given.header)
    if time := given.timestamp_header:
        profile = replace(profile, timestamp=time, before=(time,))
    return profile


def _of_sns(given: _SignedBySns, place: str, folder: Path, faults: _Faults) -> Credential:
    key = None
    try:
        pem = (folder / given.certificate_file).read_bytes()
        key = SnsKey(sns_signatures.public_key(pem), frozenset(given.topics), given.sha1)
    except OSError as error:
        faults.append(f"{place}: {folder / given.certificate_file} cannot be read: {error.strerror}")
    except ValueError as error:
        faults.append(f"{place}: {given.certificate_file} is not an RSA certificate in PEM: {error}")
    return Credential(id=given.id, kind=Kind.SNS, secret=b"", sns=key, expires=given.expires)


class _NoSecret(Exception):
    """There is none, or more than one."""


def _secret(given: _Signed, folder: Path, environ: Mapping[str, str]) -> str:
    if sum(source is not None for source in (given.secret, given.secret_file, given.secret_env)) != 1:
        raise _NoSecret("needs one of secret, secret_file and secret_env")
    if given.secret_env is not None:
        if given.secret_env not in environ:
            raise _NoSecret(f"the environment variable {given.secret_env} is not set")
        return environ[given.secret_env].strip()
    if given.secret_file is not None:
        path = folder / given.secret_file
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _NoSecret(f"{path} cannot be read: {type(error).__name__}") from None
    return given.secret or ""


def _clashes(principals: Sequence[Principal]) -> Iterator[str]:
    """Tell what two principals must not share, and what would cost every request too much."""
    for name in _repeated(principal.name for principal in principals):
        yield f"two principals have the name {name}"
    owners: dict[tuple[Profile | None, bytes], str] = {}
    for principal in principals:
        for credential in principal.credentials:
            owner = owners.setdefault((credential.profile, credential.secret), principal.name)
            if credential.secret and owner != principal.name:
                yield f"principals {owner} and {principal.name} have the same secret"
    topics = {(p.name, topic) for p in principals for c in p.credentials if c.sns for topic in c.sns.topics}
    for topic in _repeated(topic for _, topic in topics):
        yield f"two principals have the SNS topic {topic}"
    keys = Counter(c.profile.header for p in principals for c in p.credentials if c.profile)
    for header, number in keys.items():
        if number > _MOST_KEYS:
            yield f"{number} secrets for {header}: each request is tried with all, so {_MOST_KEYS} are most"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, number in Counter(names).items() if number > 1]


def _warnings_of_mode(path: Path) -> list[str]:
    mode = path.stat().st_mode
    return ["others may read or change this file: chmod 600"] if mode & _NOBODY_ELSE else []


def _told(item: Any) -> str:
    """Name the place as the file has it; pydantic adds the kind of a credential to it."""
    kinds = {kind.value for kind in Kind}
    parts = [
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"] if part not in kinds
    ]
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{''.join(parts).lstrip('.') or 'the file'}: {message}"
