"""The programs on the page for consumers, each run as it stands against a real Kafka: a copy is dropped.

Where a tool is missing the program is not run, and the reason told; with ``CI`` set that is a failure,
except for kcat, which is not everywhere.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from broker import Broker

from tests.integration.consuming import consume
from tests.integration.processes import GATEWAY, GatewayProcess, command, environment, serving, until
from tests.pages import DOCS, Block, blocks, run
from tests.samples import detected

pytestmark = pytest.mark.kafka

PREFIX = "consumers"
SYSTEMS = "cdevents"
PAGE = blocks(DOCS / "consumers.md")
ONCE = "incident/checkout-4417 detected"
LAST = "incident/the-last detected"
_SECONDS = 90


def only(language: str, word: str = "") -> Block:
    (found,) = (block for block in PAGE if block.language == language and word in block.text)
    return found


def need(tool: str, *, everywhere: bool = True) -> str:
    path = shutil.which(tool)
    if path is None:
        if everywhere and os.environ.get("CI") == "true":
            pytest.fail(f"there is no {tool}")
        pytest.skip(f"there is no {tool}")
    return path


@pytest.fixture(scope="module")
def gateway(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway to whose Kafka the page's incident was sent twice, and another one once."""
    folder = tmp_path_factory.mktemp("consumers")
    chosen = {
        "kafka_bootstrap_servers": kafka.bootstrap,
        "topic_prefix": PREFIX,
        "systems": SYSTEMS,
        "topic_partitions": "1",  # so that the other one comes last
    }
    command(["topics", "--create"], folder, **chosen)
    with serving(folder, GATEWAY, **chosen) as process:
        process.wait_until_ready()
        if shutil.which("curl"):
            run(only("sh", "curl"), folder, environment({}), {"127.0.0.1:8080": f"127.0.0.1:{process.port}"})
        # what was spooled on a slow machine must not come after the last
        until(lambda: "spooled" not in process.get("/readyz").json, _SECONDS, "the spool to be empty")
        last = str(detected()).replace("checkout-4417", "the-last").replace("'", '"').encode()
        assert process.send("POST", "/events/cdevents", last).status == 202
        until(lambda: "spooled" not in process.get("/readyz").json, _SECONDS, "the spool to be empty")
        assert len(consume(kafka.bootstrap, [f"{PREFIX}.incident.detected"])) >= 3  # a copy is among them
        yield process


def own(text: str, kafka: Broker) -> str:
    """The text of a block, for the broker and the topics of this test."""
    return text.replace("127.0.0.1:9092", kafka.bootstrap).replace("events.incident", f"{PREFIX}.incident")


def printed(arguments: Sequence[str | Path], folder: Path) -> list[str]:
    """What a program prints until it has printed the last event."""
    process = subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    output = process.stdout

    def read() -> None:
        for line in output:
            lines.put(line.rstrip("\n"))

    reader = threading.Thread(target=read)
    reader.start()
    told: list[str] = []
    end = time.monotonic() + _SECONDS
    try:
        while LAST not in told:
            assert time.monotonic() < end, told
            try:
                told.append(lines.get(timeout=1))
            except queue.Empty:
                assert process.poll() is None, told
        return told
    finally:
        process.kill()
        process.wait()
        reader.join()
        output.close()


def assert_once(told: Sequence[str]) -> None:
    assert [line for line in told if line.startswith("incident/")] == [ONCE, LAST]


def test_the_page_shows_what_they_print() -> None:
    assert only("text").text.strip() == ONCE
    assert {block.language for block in PAGE} == {"sh", "text", "python", "java", "javascript"}


def test_python(gateway: GatewayProcess, kafka: Broker, tmp_path: Path) -> None:
    need("curl")
    (tmp_path / "pager.py").write_text(own(only("python").text, kafka), encoding="utf-8")
    assert_once(printed([sys.executable, "pager.py"], tmp_path))


def test_java(gateway: GatewayProcess, kafka: Broker, tmp_path: Path) -> None:
    need("curl")
    (tmp_path / "Pager.java").write_text(own(only("java").text, kafka), encoding="utf-8")
    jars = ":".join(str(jar) for jar in sorted(kafka.jars.glob("*.jar")))
    assert_once(printed([need("java"), "-cp", jars, "Pager.java"], tmp_path))


@pytest.mark.timeout(400)
def test_node(gateway: GatewayProcess, kafka: Broker, tmp_path: Path) -> None:
    need("curl")
    node, npm = need("node"), need("npm")
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-save", "kafkajs@2.2.4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if installed.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"npm cannot install kafkajs: {installed.stderr}")
        pytest.skip("npm cannot install kafkajs")
    (tmp_path / "pager.js").write_text(own(only("javascript").text, kafka), encoding="utf-8")
    assert_once(printed([node, "pager.js"], tmp_path))


def test_kcat(gateway: GatewayProcess, kafka: Broker, tmp_path: Path) -> None:
    need("curl")
    need("kcat", everywhere=False)
    block = only("sh", "kcat")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", own(block.text, kafka)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_once(done.stdout.splitlines())
