"""What deploy/ would run in a container, run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml
from broker import Broker

from tests.integration.processes import GatewayProcess, command, serving, until

ROOT = Path(__file__).parent.parent.parent
POD = ROOT / "deploy" / "kubernetes" / "base" / "statefulset.yaml"
EVENT = b'{"event_name": "deployment", "event_action": "succeeded", "team_id": "t1", "repo": "shop"}'


def pre_stop(gateway: GatewayProcess) -> subprocess.Popen[bytes]:
    (container,) = yaml.safe_load(POD.read_text(encoding="utf-8"))["spec"]["template"]["spec"]["containers"]
    python, dash_c, script = container["lifecycle"]["preStop"]["exec"]["command"]
    assert (python, dash_c) == ("python", "-c")
    for old, new in {"127.0.0.1:8080": f"127.0.0.1:{gateway.port}", "time.sleep(5)": "time.sleep(0)"}.items():
        assert script.count(old) == 1
        script = script.replace(old, new)
    return subprocess.Popen([sys.executable, dash_c, script])


def test_a_pod_whose_spool_is_empty_may_stop_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        assert pre_stop(gateway).wait(60) == 0


@pytest.mark.kafka
def test_a_pod_waits_for_its_spool_to_go_to_kafka(own_broker: Broker, tmp_path: Path) -> None:
    own_broker.start()
    command(["topics", "--create"], tmp_path, kafka_bootstrap_servers=own_broker.bootstrap)
    own_broker.stop()
    with serving(tmp_path, kafka_bootstrap_servers=own_broker.bootstrap) as gateway:
        assert gateway.send("POST", "/events", EVENT).json["events"][0]["outcome"] == "spooled"
        waiting = pre_stop(gateway)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(3)
        own_broker.start()
        assert waiting.wait(120) == 0
        until(lambda: "spooled" not in gateway.get("/readyz").json, 30, "an empty spool")


@pytest.mark.timeout(600)
def test_the_steps_of_the_image_make_a_gateway_with_its_extras(tmp_path: Path) -> None:
    builder, opt, wheels, source = (tmp_path / name for name in ("builder", "opt", "wheels", "source"))
    venv.create(builder, with_pip=True)
    for name in ("gateway", "schemas", "deploy/requirements"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    build, _ = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").split("\nFROM python:3.11-slim\n")
    steps = re.findall(r"^RUN ((?:.*\\\n)*.*)", build, re.MULTILINE)
    assert len(steps) == 3
    for step in steps:
        here = step.replace("/opt/gateway", str(opt)).replace("/wheels", str(wheels))
        environ = os.environ | {"PATH": f"{builder}/bin:{os.environ['PATH']}", "PINS": "extras"}
        done = subprocess.run(
            ["sh", "-ec", here], cwd=source, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    with serving(tmp_path, executable=opt / "bin" / "gateway", tracing="true") as gateway:
        assert gateway.send("POST", "/events", EVENT).status == 202
    subprocess.run([opt / "bin" / "python", "-c", "import confluent_kafka"], check=True)
