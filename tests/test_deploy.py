"""What is in deploy/ fits the code and itself, as far as it can be told without an engine or a cluster."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import credentials_file, settings, starting
from gateway.server import Server
from gateway.settings import Settings
from gateway.starting import check
from gateway.web.routes import INTAKES
from tests.door import Door

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
EXAMPLE = DEPLOY / "kubernetes" / "overlays" / "example"
TEXTS = {
    path.relative_to(DEPLOY).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DEPLOY.rglob("*"))
    if path.is_file() and path.suffix not in (".pyc", ".xml") and "requirements" not in path.parts
}
YAMLS = [name for name in TEXTS if name.endswith(".yaml")]
IMAGE = TEXTS["Dockerfile"]
UID = 10001
PORT = 8080


@pytest.fixture(scope="module")
def cluster() -> dict[str, dict[str, Any]]:
    """What the example overlay makes, ``{"StatefulSet gateway": …}``, by kubectl's own kustomize."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", EXAMPLE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [document for document in yaml.safe_load_all(done.stdout) if document]
    return {f"{document['kind']} {document['metadata']['name']}": document for document in made}


@pytest.fixture(scope="module")
def pod(cluster: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return dict(cluster["StatefulSet gateway"]["spec"]["template"])


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["spec"]["containers"]
    return dict(only)


def config_map(cluster: dict[str, dict[str, Any]]) -> dict[str, str]:
    (found,) = [dict(made["data"]) for name, made in cluster.items() if name.startswith("ConfigMap gateway-")]
    return found


# -- all of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", YAMLS)
def test_yaml_is_yaml(name: str) -> None:
    assert [document for document in yaml.safe_load_all(TEXTS[name]) if document]


@pytest.mark.parametrize("name", [n for n, text in TEXTS.items() if "GATEWAY_" in text])
def test_every_setting_that_is_named_exists(name: str) -> None:
    known = {settings.variable(field) for field in Settings.model_fields}
    named = set(re.findall(r"\bGATEWAY_[A-Z_]*[A-Z]", TEXTS[name]))
    # the last is what Kubernetes would set beside a Service, and is told of as none of ours
    assert named - known <= {"GATEWAY_NAME", "GATEWAY_SERVICE_HOST"}


@pytest.mark.parametrize("name", TEXTS)
def test_no_image_is_the_latest_whatever_it_is(name: str) -> None:
    assert not re.search(r"(?:image:|FROM) \S+:latest", TEXTS[name])


# -- the image and compose ----------------------------------------------------------------------------------


def test_the_image_has_two_stages_and_is_not_of_root() -> None:
    assert len(re.findall(r"^FROM ", IMAGE, re.MULTILINE)) == 2
    assert f"USER {UID}:{UID}" in IMAGE
    assert "--require-hashes" in IMAGE


def test_the_image_is_checked_where_it_listens_on_a_path_that_exists() -> None:
    assert f"GATEWAY_BIND=0.0.0.0:{PORT}" in IMAGE
    assert f"EXPOSE {PORT}" in IMAGE
    (path,) = re.findall(rf"HEALTHCHECK .*\n.*http://127\.0\.0\.1:{PORT}(/\w+)", IMAGE)
    assert Door().client.get(path).status_code == 200


def test_every_file_that_the_image_copies_is_let_into_its_context() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for needed in ("pyproject.toml", "gateway", "schemas", "deploy/requirements", "README.md"):
        assert f"!{needed}" in ignore


@pytest.mark.parametrize("pins", ["run", "extras"])
def test_the_pins_of_the_image_are_those_that_are_tested(pins: str) -> None:
    def pinned(name: str) -> dict[str, str]:
        text = (DEPLOY / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))

    tested = pinned("dev")
    assert pinned(pins)
    assert {name: version for name, version in pinned(pins).items() if tested.get(name) != version} == {}
    if pins == "extras":
        assert {"confluent-kafka", "opentelemetry-sdk"} <= set(pinned(pins))


COMPOSE = yaml.safe_load(TEXTS["compose.yaml"])["services"]


@pytest.mark.parametrize("service", ["gateway", "topics"])
def test_a_service_has_no_more_rights_than_it_needs(service: str) -> None:
    chosen = COMPOSE[service]
    assert chosen["read_only"] is True
    assert chosen["cap_drop"] == ["ALL"]
    assert chosen["tmpfs"] == ["/tmp"]


def test_compose_publishes_to_this_machine_only_and_keeps_the_spool() -> None:
    for service in COMPOSE.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert COMPOSE["gateway"]["volumes"] == ["gateway-data:/data"]
    assert "GATEWAY_DATA_DIR=/data" in IMAGE
    assert {"gateway", "kafka"} <= {name for name, chosen in COMPOSE.items() if "healthcheck" in chosen}


def test_compose_gives_settings_that_can_be_served() -> None:
    check(settings.load(COMPOSE["gateway"]["environment"]))


# -- Kubernetes ---------------------------------------------------------------------------------------------


def test_the_example_makes_what_a_deployment_needs(cluster: dict[str, dict[str, Any]]) -> None:
    kinds = {name.split()[0] for name in cluster}
    assert kinds == {
        "ConfigMap",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Secret",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
        "StatefulSet",
    }


def test_everything_selects_the_pods_and_only_them(
    cluster: dict[str, dict[str, Any]], pod: dict[str, Any]
) -> None:
    labels = pod["metadata"]["labels"]
    selectors = [
        cluster["StatefulSet gateway"]["spec"]["selector"]["matchLabels"],
        cluster["PodDisruptionBudget gateway"]["spec"]["selector"]["matchLabels"],
        cluster["NetworkPolicy gateway"]["spec"]["podSelector"]["matchLabels"],
        cluster["Service gateway"]["spec"]["selector"],
        cluster["Service gateway-pods"]["spec"]["selector"],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
    monitored = cluster["ServiceMonitor gateway"]["spec"]["selector"]["matchLabels"].items()
    services = [made for name, made in cluster.items() if name.startswith("Service ")]
    assert len([made for made in services if monitored <= made["metadata"]["labels"].items()]) == 1


def test_probes_ask_paths_that_exist_on_the_port_that_is_bound(
    cluster: dict[str, dict[str, Any]], container: dict[str, Any]
) -> None:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    bound = config_map(cluster)["GATEWAY_BIND"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert bound == f"0.0.0.0:{ports[asked['port']]}"
        assert Door().client.get(asked["path"]).status_code == 200


def test_the_pod_is_confined(pod: dict[str, Any], container: dict[str, Any]) -> None:
    spec, own = pod["spec"], container["securityContext"]
    assert spec["securityContext"]["runAsUser"] == UID
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert own["allowPrivilegeEscalation"] is False
    assert "memory" in container["resources"]["limits"]


def test_the_spool_lies_on_a_volume_that_holds_all_of_it_and_outlives_the_pod(
    cluster: dict[str, dict[str, Any]], container: dict[str, Any]
) -> None:
    spec, chosen = cluster["StatefulSet gateway"]["spec"], config_map(cluster)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    (claim,) = spec["volumeClaimTemplates"]
    assert mounts[chosen["GATEWAY_DATA_DIR"]] == claim["metadata"]["name"]
    assert set(spec["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    size = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) * 2**30
    assert size >= 1.5 * int(chosen["GATEWAY_SPOOL_MAX_BYTES"])


def test_every_volume_that_is_mounted_is_there_and_every_secret_is_a_file(
    cluster: dict[str, dict[str, Any]], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    claims = {c["metadata"]["name"] for c in cluster["StatefulSet gateway"]["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes) | claims
    files = set()
    for mount in container["volumeMounts"]:
        if secret := volumes.get(mount["name"], {}).get("secret"):
            data = cluster[f"Secret {secret['secretName']}"]["data"]
            files |= {f"{mount['mountPath']}/{name}" for name in data}
    named = {v for name, v in config_map(cluster).items() if name.endswith("_FILE")}
    assert named == files
    assert not [entry for entry in container.get("env", ()) if "PASSWORD" in entry["name"]]


def test_the_settings_of_the_example_can_be_served(
    cluster: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    chosen = config_map(cluster)
    for name, value in chosen.items():
        if name.endswith("_FILE"):
            chosen[name] = str(EXAMPLE / Path(value).name)
    loaded = settings.load(chosen)
    assert loaded.sasl_password() == "put-the-password-here"
    file = loaded.credentials_file
    assert file is not None
    assert [p.name for p in credentials_file.load(file, {})[0].principals] == ["shop-ci"]


def test_the_grace_is_longer_than_the_wait_for_the_spool_and_the_stop(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    script = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    (first,), (longest,) = re.findall(r"sleep\((\d+)\)  #", script), re.findall(r"\+ (\d+)", script)
    waits = int(first) + int(longest)
    stop = Server(settings.load({}), starting.Checked()).options()["graceful_timeout"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > waits + stop + 10


def test_gateways_go_one_after_the_other_and_never_all(cluster: dict[str, dict[str, Any]]) -> None:
    scaling = cluster["HorizontalPodAutoscaler gateway"]["spec"]
    assert scaling["minReplicas"] >= 2
    assert scaling["behavior"]["scaleDown"]["policies"] == [
        {"type": "Pods", "value": 1, "periodSeconds": 600}
    ]
    assert cluster["PodDisruptionBudget gateway"]["spec"]["maxUnavailable"] == 1
    assert "replicas" not in cluster["StatefulSet gateway"]["spec"]


def test_kafka_can_be_reached_and_the_gateway_by_those_who_should(cluster: dict[str, dict[str, Any]]) -> None:
    policy = cluster["NetworkPolicy gateway"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    (ingress,) = policy["ingress"]
    assert [port["port"] for port in ingress["ports"]] == [PORT]
    allowed = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    asked = config_map(cluster)["GATEWAY_KAFKA_BOOTSTRAP_SERVERS"]
    assert {int(server.rpartition(":")[2]) for server in asked.split(",")} <= allowed


# -- proxies and systemd ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nginx/gateway.conf", "envoy/envoy.yaml"])
def test_a_proxy_lets_every_way_in_through_and_waits_longer_than_the_longest_answer(name: str) -> None:
    text = TEXTS[name]
    firsts = {"/" + intake.rule.split("/")[1] for intake in INTAKES if intake.rule.startswith("/events")}
    assert firsts == {"/events"}
    for rule in ("/events", *{i.rule for i in INTAKES if not i.rule.startswith("/events")}):
        assert re.search(rf"(?:location (?:= )?|prefix: |path: ){rule}\b", text)
    (wait,) = set(re.findall(r"(?:proxy_read_timeout |cluster: gateway, timeout: )(\d+)s", text))
    assert int(wait) > Door().gateway.door.longest_wait


def test_a_proxy_closes_idle_connections_before_the_gateway_does() -> None:
    keeps = Server(settings.load({}), starting.Checked()).options()["keepalive"]
    for name, pattern in {
        "nginx/gateway.conf": r"keepalive_timeout (\d+)s",
        "envoy/envoy.yaml": r"idle_timeout: (\d+)s",
    }.items():
        (idle,) = re.findall(pattern, TEXTS[name])
        assert int(idle) < keeps


def test_the_unit_of_systemd_runs_what_exists_and_waits_for_the_stop() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(TEXTS["systemd/gateway.service"])
    service = unit["Service"]
    assert service["ExecStart"].endswith("gateway serve")
    assert service["Environment"] == f"GATEWAY_DATA_DIR=/var/lib/{service['StateDirectory']}"
    assert (
        int(service["TimeoutStopSec"])
        > Server(settings.load({}), starting.Checked()).options()["graceful_timeout"]
    )
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        done = subprocess.run(
            [analyze, "verify", "--man=no", DEPLOY / "systemd" / "gateway.service"],
            capture_output=True,
            text=True,
            check=False,
        )
        faults = [
            line
            for line in done.stderr.splitlines()
            if "not executable" not in line and "gateway.service:" in line
        ]
        assert [line for line in faults if "Unknown" in line or "Failed to parse" in line] == []
