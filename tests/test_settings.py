"""Settings: every fault told at once, the environment before the file, secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import settings, starting
from gateway.errors import SettingsError
from gateway.settings import Settings, load, unknown_variables, variable
from gateway.systems import SYSTEMS
from tests.samples import without


def faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return list(caught.value.faults)


def in_file(folder: Path, text: str) -> dict[str, str]:
    """An environment that names a TOML file of this text."""
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return {"GATEWAY_CONFIG": str(path)}


def test_every_setting_has_a_default_that_is_valid() -> None:
    chosen = load({})
    assert chosen.bind == "127.0.0.1:8080"
    assert chosen.data_dir == Path(".data")
    assert chosen.systems == SYSTEMS
    assert chosen.kafka_bootstrap_servers == ()
    assert chosen.sasl_password() is None


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_means(name: str) -> None:
    assert Settings.model_fields[name].description


def test_an_empty_variable_is_no_value() -> None:
    assert load(dict.fromkeys(map(variable, Settings.model_fields), "")) == load({})


def test_lists_are_separated_by_commas() -> None:
    chosen = load({"GATEWAY_SYSTEMS": " ibm , ctoai,", "GATEWAY_KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2"})
    assert chosen.systems == ("ibm", "ctoai")
    assert chosen.kafka_bootstrap_servers == ("a:1", "b:2")


def test_what_a_setting_says_of_single_systems_is_a_pair_each() -> None:
    chosen = load(
        {"GATEWAY_SYSTEM_ACK": "sentry=spool", "GATEWAY_SYSTEM_ACK_BUDGET_MS": " jira = 20 ,ibm=30,"}
    )
    assert chosen.system_ack == {"sentry": "spool"}
    assert chosen.system_ack_budget_ms == {"jira": 20, "ibm": 30}


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ("sentry", "name=value"),
        ("sentry=", "name=value"),
        ("=300", "name=value"),
        ("sentry=300,sentry=400", "twice"),
        ("sentri=300", "did you mean sentry?"),
        ("all=300", "no single system"),
        ("sentry=801", "800"),
    ],
)
def test_a_pair_that_says_nothing_is_told_so(pairs: str, reason: str) -> None:
    (fault,) = faults({"GATEWAY_SYSTEM_ACK_BUDGET_MS": pairs})
    assert fault.startswith("GATEWAY_SYSTEM_ACK_BUDGET_MS: ")
    assert reason in fault


def test_where_there_is_no_spool_no_system_can_go_there() -> None:
    with pytest.raises(SettingsError) as caught:
        starting.check(load({"GATEWAY_ACK": "broker", "GATEWAY_SYSTEM_ACK": "sentry=spool"}))
    assert "GATEWAY_SYSTEM_ACK: contradicts GATEWAY_ACK=broker" in str(caught.value.faults)


def test_an_empty_pair_is_none_so_that_a_default_can_be_taken_back() -> None:
    assert load({"GATEWAY_SYSTEM_ACK_BUDGET_MS": ","}).system_ack_budget_ms == {}


def test_all_stands_for_every_system_that_is_built_in() -> None:
    assert load({"GATEWAY_SYSTEMS": "ibm,all"}).systems == ("ibm", *(s for s in SYSTEMS if s != "ibm"))
    assert load({"GATEWAY_QUARANTINE_SYSTEMS": "all"}).quarantine_systems == SYSTEMS


def test_a_misspelt_system_is_told_which_was_meant() -> None:
    (fault,) = faults({"GATEWAY_SYSTEMS": "alertmanger"})
    assert "did you mean alertmanager?" in fault


BAD = {
    "GATEWAY_BIND": "8080",
    "GATEWAY_WORKERS": "0",
    "GATEWAY_THREADS": "many",
    "GATEWAY_LOG_LEVEL": "loud",
    "GATEWAY_SYSTEMS": "jirra",
    "GATEWAY_CDEVENTS_LENIENT_IDENTITY": "perhaps",
    "GATEWAY_TRACKER_STATUS_TABLE": "mine",
    "GATEWAY_MAX_BODY_BYTES": "1k",
    "GATEWAY_MAX_BATCH_EVENTS": "1000000",
    "GATEWAY_ACK_BUDGET_MS": "3s",
    "GATEWAY_SYSTEM_ACK": "sentry=broker",
    "GATEWAY_SYSTEM_ACK_BUDGET_MS": "sentry=5",
    "GATEWAY_TOPIC_TEMPLATE": "{prefix}.{system}",
    "GATEWAY_CONTENT_MODE": "batched",
    "GATEWAY_KAFKA_CLIENT": "telnet",
    "GATEWAY_KAFKA_SECURITY_PROTOCOL": "TLS",
    "GATEWAY_KAFKA_SSL_CA_FILE": "/nowhere/ca.pem",
}


def test_all_faults_are_told_at_once_one_a_variable() -> None:
    assert {fault.partition(": ")[0] for fault in faults(BAD)} == set(BAD)


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_fault_names_its_variable_and_says_something(name: str, value: str) -> None:
    for fault in faults({name: value}):
        told, _, reason = fault.partition(": ")
        assert told == name
        assert reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_BIND", ":8080"),
        ("GATEWAY_BIND", "host:"),
        ("GATEWAY_BIND", "host:http"),
        ("GATEWAY_BIND", "host:65536"),
        ("GATEWAY_SYSTEMS", ","),
        ("GATEWAY_SYSTEMS", "ibm,jirra"),
        ("GATEWAY_TOPIC_TEMPLATE", "{prefix}"),
        ("GATEWAY_TOPIC_TEMPLATE", "{subject}.{predicate}"),
        ("GATEWAY_TOPIC_TEMPLATE", "{prefix}.{subject"),
        ("GATEWAY_TOPIC_TEMPLATE", "{prefix}.{subject}.{}"),
        ("GATEWAY_TOPIC_TEMPLATE", "{prefix.__class__}.{subject}"),
        ("GATEWAY_MAX_RECORD_BYTES", "1"),
        ("GATEWAY_ACK_BUDGET_MS", "60000"),
        ("GATEWAY_WORKERS", "1.5"),
    ],
)
def test_a_value_that_cannot_be_used(name: str, value: str) -> None:
    (fault,) = faults({name: value})
    assert fault.startswith(f"{name}: ")


# -- the file -----------------------------------------------------------------------------------------------


def test_a_file_gives_settings_in_lower_case(tmp_path: Path) -> None:
    chosen = load(in_file(tmp_path, 'topic_prefix = "acme"\nworkers = 2\nsystems = ["ibm", "ctoai"]\n'))
    assert (chosen.topic_prefix, chosen.workers, chosen.systems) == ("acme", 2, ("ibm", "ctoai"))


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    environ = in_file(tmp_path, 'topic_prefix = "acme"\nworkers = 2\n')
    chosen = load(environ | {"GATEWAY_TOPIC_PREFIX": "env"})
    assert (chosen.topic_prefix, chosen.workers) == ("env", 2)


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(in_file(tmp_path, "topic_prefx = 'acme'\n"))
    assert "topic_prefx" in fault.lower()


def test_faults_of_file_and_environment_are_told_together(tmp_path: Path) -> None:
    environ = in_file(tmp_path, "workers = 0\nnonsense = 1\n") | {"GATEWAY_BIND": "x"}
    assert len(faults(environ)) == 3


@pytest.mark.parametrize("text", [b"workers = ", b"\xff = 1", b"workers = 1\nworkers = 2"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: bytes) -> None:
    environ = in_file(tmp_path, "")
    Path(environ["GATEWAY_CONFIG"]).write_bytes(text)
    (fault,) = faults(environ)
    assert "GATEWAY_CONFIG" in fault
    assert environ["GATEWAY_CONFIG"] in fault


def test_a_file_that_is_not_there_is_named() -> None:
    (fault,) = faults({"GATEWAY_CONFIG": "/nowhere/gateway.toml"})
    assert "/nowhere/gateway.toml" in fault


# -- names and secrets --------------------------------------------------------------------------------------


def test_an_unknown_variable_is_told_with_the_nearest_name() -> None:
    told = unknown_variables({"GATEWAY_TOPIC_PREFX": "x", "GATEWAY_BIND": "y", "PATH": "z"})
    assert told == ["GATEWAY_TOPIC_PREFX is not a setting; did you mean GATEWAY_TOPIC_PREFIX?"]


def test_a_variable_of_kubernetes_is_told_but_does_not_stop_the_start() -> None:
    environ = {"GATEWAY_SERVICE_HOST": "10.0.0.1"}
    assert unknown_variables(environ) == ["GATEWAY_SERVICE_HOST is not a setting"]
    assert load(environ) == load({})


SASL = {
    "GATEWAY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "GATEWAY_KAFKA_SASL_MECHANISM": "PLAIN",
    "GATEWAY_KAFKA_SASL_USERNAME": "user",
    "GATEWAY_KAFKA_SASL_PASSWORD": "s3cret",
}
NO_PASSWORD = without(SASL, "GATEWAY_KAFKA_SASL_PASSWORD")


def test_a_password_is_not_in_what_is_printed_of_the_settings() -> None:
    chosen = load(SASL)
    assert chosen.sasl_password() == "s3cret"
    assert "s3cret" not in f"{chosen!r} {chosen} {chosen.model_dump_json()}"


def test_a_password_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cret\n", encoding="utf-8")
    chosen = load(NO_PASSWORD | {"GATEWAY_KAFKA_SASL_PASSWORD_FILE": str(path)})
    assert chosen.sasl_password() == "s3cret"


@pytest.mark.parametrize("missing", ["MECHANISM", "USERNAME", "PASSWORD"])
def test_sasl_needs_all_of_its_settings(missing: str) -> None:
    (fault,) = faults(without(SASL, f"GATEWAY_KAFKA_SASL_{missing}"))
    assert f"KAFKA_SASL_{missing}" in fault
    assert "s3cret" not in fault


def test_half_a_sasl_is_told_together_with_other_faults() -> None:
    told = faults({"GATEWAY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "GATEWAY_WORKERS": "0"})
    assert any("SASL" in fault for fault in told)
    assert any("GATEWAY_WORKERS" in fault for fault in told)


def test_a_password_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    told = faults(NO_PASSWORD | {"GATEWAY_KAFKA_SASL_PASSWORD_FILE": str(tmp_path)})
    assert any("GATEWAY_KAFKA_SASL_PASSWORD_FILE" in fault for fault in told)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).workers = 2  # type: ignore[misc]


def test_the_prefix_of_all_variables_is_gateway() -> None:
    assert settings.variable("bind") == "GATEWAY_BIND"
