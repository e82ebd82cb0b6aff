"""The built wheel, installed into an empty environment, works: schemas and samples travel inside."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.integration.processes import serving

ROOT = Path(__file__).parent.parent.parent
PINS = ROOT / "deploy" / "requirements" / "run.txt"
EVENT = b'{"event_name": "incident", "event_action": "initiated", "team_id": "t"}'


def run(*arguments: str | Path) -> None:
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and its pinned dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    pip = folder / "env" / "bin" / "pip"
    run(pip, "install", "--quiet", "--require-hashes", "-r", PINS)
    run(pip, "install", "--quiet", "--no-deps", wheel)
    return folder / "env" / "bin"


@pytest.mark.timeout(600)
def test_the_installed_wheel_serves_and_validates(installed: Path, tmp_path: Path) -> None:
    with serving(tmp_path, executable=installed / "gateway") as gateway:
        assert gateway.send("POST", "/events", EVENT).status == 202
        assert gateway.send("POST", "/events", EVENT.replace(b"team_id", b"team")).status == 422
        assert gateway.get("/schemas/envelope.schema.json").json["title"] == "Envelope"
        sample = gateway.get("/samples/ctoai/service.deployed").json
        assert sample["record"]["topic"] == "events.service.deployed"
        assert gateway.get("/openapi.json").json["paths"]["/events"]
        assert gateway.get("/docs").status == 200
