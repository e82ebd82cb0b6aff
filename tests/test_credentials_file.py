"""The credentials file: every fault told at once, no secret told at all."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import pytest

from gateway import exposure, settings
from gateway.credentials_file import ProfileName, load
from gateway.errors import SettingsError
from gateway.signatures import PROFILES
from tests.keys import SECRETS, hashed, of_every_kind, principal, read, sha256, signed, written
from tests.terminal import Run


def faults(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(written(folder, text), environ)
    assert not [secret for secret in SECRETS.values() if secret in str(caught.value)]
    return list(caught.value.faults)


def warnings(folder: Path, text: str) -> list[str]:
    return list(load(written(folder, text), {})[1])


def test_a_file_of_every_kind_is_good(tmp_path: Path) -> None:
    known, told = load(written(tmp_path, of_every_kind()), {})
    assert [principal.name for principal in known.principals] == list(SECRETS)
    assert told == []


def test_every_profile_can_be_named() -> None:
    assert set(get_args(ProfileName)) == set(PROFILES)


HMAC = '[[principals.credentials]]\nkind = "hmac"\nid = "a"\nprofile = "github"\n'
FAULTY = {
    "no TOML": ("[[principals]", "TOML"),
    "nothing": ("", "principals"),
    "no principal": ("principals = []", "principals"),
    "no credential": (principal("ci"), "principals[0].credentials"),
    "no system": (principal("ci", hashed("bearer", "x"), systems=[]), "principals[0].systems"),
    "unknown system": (principal("ci", hashed("bearer", "x"), systems=["jirra"]), "principals[0].systems[0]"),
    "odd name": (principal("c i", hashed("bearer", "x")), "principals[0].name"),
    "odd rate": (principal("ci", hashed("bearer", "x"), more='rate = "fast"'), "principals[0].rate"),
    "no rate": (principal("ci", hashed("bearer", "x"), more='rate = "0/minute"'), "principals[0].rate"),
    "unknown kind": (principal("ci", hashed("token", "x")), "principals[0].credentials[0]"),
    "the secret itself": (
        principal("ci", hashed("bearer", "x").replace(sha256("x"), SECRETS["bearer"])),
        "principals[0].credentials[0].sha256",
    ),
    "the secret beside its hash": (
        principal("ci", hashed("bearer", "x", more=f'secret = "{SECRETS["bearer"]}"')),
        "principals[0].credentials[0].secret",
    ),
    "hash of nothing": (principal("ci", hashed("bearer", "")), "principal ci, credential one"),
    "no time zone": (
        principal("ci", hashed("bearer", "x", more="expires = 2027-01-01T00:00:00")),
        "principals[0].credentials[0].expires",
    ),
    "unknown profile": (principal("ci", signed("stripe", "x" * 20)), "principals[0].credentials[0].profile"),
    "empty secret": (principal("ci", signed("github", "")), "principals[0].credentials[0].secret"),
    "no secret": (principal("ci", HMAC), "secret_env"),
    "two secrets": (principal("ci", HMAC + 'secret = "x"\nsecret_env = "X"'), "secret_env"),
    "no such file": (principal("ci", HMAC + 'secret_file = "nowhere"'), "nowhere"),
    "no such variable": (principal("ci", HMAC + 'secret_env = "NOWHERE"'), "NOWHERE"),
    "no base64": (principal("ci", signed("standard-webhooks", "whsec_!")), "whsec_"),
    "no key": (principal("ci", signed("standard-webhooks", "whsec_")), "empty"),
    "github's header": (principal("ci", signed("github", "x" * 20, more='header = "X-A"')), "github"),
    "two of one id": (principal("ci", hashed("bearer", "x"), hashed("basic", "y")), "same id"),
    "two of one name": (
        principal("ci", hashed("bearer", "x")) + "\n" + principal("ci", hashed("bearer", "y")),
        "the name ci",
    ),
    "one secret of two": (
        principal("a", hashed("bearer", "x")) + "\n" + principal("b", hashed("basic", "x")),
        "a and b have the same secret",
    ),
    "one key of two": (
        principal("a", signed("github", "x" * 20)) + "\n" + principal("b", signed("github", "x" * 20)),
        "a and b have the same secret",
    ),
    "too many keys": (
        principal("a", *[signed("github", f"{n:020}", f"i{n}") for n in range(65)]),
        "64 are most",
    ),
}


@pytest.mark.parametrize(("text", "told"), FAULTY.values(), ids=FAULTY)
def test_a_fault_names_its_place(tmp_path: Path, text: str, told: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.startswith(f"GATEWAY_CREDENTIALS_FILE: {tmp_path}/credentials.toml: ")
    assert told in fault


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    one = principal("c i", hashed("bearer", "x"), systems=["jirra"])
    assert len(faults(tmp_path, one + "\n" + principal("ci"))) == 3
    secrets = principal("ci", HMAC, hashed("bearer", ""), signed("standard-webhooks", "!", "three"))
    assert len(faults(tmp_path, secrets)) == 3


def test_a_secret_may_come_from_a_file_beside_it_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "github.secret").write_text("from-the-file-0123\n", encoding="utf-8")
    other = HMAC.replace('"a"', '"b"') + 'secret_env = "HOOK"'
    text = principal("ci", HMAC + 'secret_file = "github.secret"', other)
    (known,) = read(tmp_path, text, HOOK="from-the-environment").principals
    assert [c.secret for c in known.credentials] == [b"from-the-file-0123", b"from-the-environment"]


def test_a_file_that_others_may_read_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, of_every_kind())
    path.chmod(0o644)
    (told,) = load(path, {})[1]
    assert "chmod 600" in told
    path.chmod(0o440)
    assert load(path, {})[1] == []


def test_what_is_unwise_is_told(tmp_path: Path) -> None:
    assert (
        "has expired"
        in warnings(tmp_path, principal("ci", hashed("bearer", "x", more="expires = 2020-01-01T00:00:00Z")))[
            0
        ]
    )
    assert "shorter than 16" in warnings(tmp_path, principal("ci", signed("github", "short")))[0]


# -- gateway credentials new --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SECRETS)
def test_new_gives_lines_that_can_be_used_and_the_secret_once(run: Run, tmp_path: Path, kind: str) -> None:
    profile = [] if kind in ("bearer", "api-key", "basic", "query-key") else ["--profile", kind]
    result = run(
        "credentials", "new", "ci", "--kind", "hmac" if profile else kind, *profile, "--system", "ibm"
    )
    assert result.exit_code == 0
    (made,) = read(tmp_path, result.stdout).principals
    assert (made.name, set(made.systems)) == ("ci", {"ibm"})
    secret = result.stderr.replace("=", " ").split()[-1]
    if not profile:
        stored = tomllib.loads(result.stdout)["principals"][0]["credentials"][0]["sha256"]
        assert stored == sha256(f"ci:{secret}" if kind == "basic" else secret)
        assert secret not in result.stdout


def test_new_gives_another_secret_each_time(run: Run) -> None:
    assert run("credentials", "new", "ci").stderr != run("credentials", "new", "ci").stderr


@pytest.mark.parametrize("name", ["", "a b", '"', "-", "é", "x" * 65])
def test_new_refuses_a_name_that_the_file_would_refuse(run: Run, name: str) -> None:
    assert run("credentials", "new", "--", name).exit_code == 2


# -- where a gateway may listen -----------------------------------------------------------------------------


def exposed(bind: str, **more: str) -> bool:
    environ = {"bind": bind} | more
    try:
        exposure.check(settings.load({settings.variable(name): value for name, value in environ.items()}))
    except SettingsError as error:
        (told,) = error.faults
        assert "GATEWAY_CREDENTIALS_FILE" in told and "GATEWAY_ALLOW_ANONYMOUS" in told
        return True
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_without_credentials_this_machine_may_send(host: str) -> None:
    assert not exposed(f"{host}:8080")


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "0",
        "[::]",
        "10.1.2.3",
        "192.0.2.1",
        "[2001:db8::1]",
        "[::ffff:10.0.0.1]",
        "nowhere.invalid",
    ],
)
def test_without_credentials_nobody_else_may(host: str, tmp_path: Path) -> None:
    assert exposed(f"{host}:8080")
    assert not exposed(f"{host}:8080", allow_anonymous="true")
    file = written(tmp_path, of_every_kind())
    assert not exposed(f"{host}:8080", credentials_file=str(file))


def test_everybody_and_only_some_is_a_contradiction(tmp_path: Path) -> None:
    file = written(tmp_path, of_every_kind())
    with pytest.raises(SettingsError, match="contradicts GATEWAY_CREDENTIALS_FILE"):
        settings.load({"GATEWAY_CREDENTIALS_FILE": str(file), "GATEWAY_ALLOW_ANONYMOUS": "true"})


@pytest.mark.parametrize("rate", ["fast", "0/minute", "10", "1/minute; 2/hour", "-1/second"])
def test_a_rate_that_is_none_is_a_fault_of_its_setting(rate: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_RATE_LIMIT"):
        settings.load({"GATEWAY_RATE_LIMIT": rate})
