"""A real Apache Kafka on this machine, for development and tests; no container engine needed.

    python3 deploy/kafka/broker.py start | stop | status

The standard library is enough, so it works before there is a virtual environment. Kafka's jars come
from Maven (pom.xml beside this file). A broker is found again by the pid file in its data folder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
DEFAULT_DATA = HERE.parent.parent / ".kafka"
DEFAULT_JARS = DEFAULT_DATA / "jars"

HOST = "127.0.0.1"
JAVA_NEEDED = 17
FETCH_SECONDS = 600
START_SECONDS = 60
STOP_SECONDS = 30

# All nodes of a cluster must share its id, and nothing here tells two clusters apart by it.
CLUSTER_ID = "Y2xvdWRldmVudHMtZ3dhdA"

# How many brokers of a cluster have a copy, and how many must have it before it is acknowledged.
REPLICATIONS = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
)
IN_SYNC = ("min.insync.replicas", "transaction.state.log.min.isr")


class BrokerError(Exception):
    """The broker cannot be had, started or stopped; the text says why in one line."""


class Unavailable(BrokerError):
    """This machine cannot run any broker: no Java, no Maven, or no registry."""


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker, known by its data folder; running or not."""

    data: Path = DEFAULT_DATA
    port: int = 9092
    controller_port: int = 9093
    jars: Path = DEFAULT_JARS
    properties: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def on_free_ports(cls, data: Path, properties: Mapping[str, str] | None = None) -> Broker:
        """Another broker, beside any that run already."""
        port, controller_port = _free_ports(2)
        return cls(data, port, controller_port, properties=properties or {})

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process that runs on this data folder now; hung (SIGSTOP) counts, dead does not."""
        try:
            pid, _ = self._read_pid_file()
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._is_broker(pid) else None

    @property
    def runs_on(self) -> int | None:
        """The port it really listens on, whatever this object was made with."""
        return self._read_pid_file()[1] if self.pid else None

    @property
    def log(self) -> Path:
        return self.data.absolute() / "broker.log"

    def start(self) -> None:
        """Return when the broker takes requests; at once if it runs already."""
        if self.launch():
            self.await_answer()

    def launch(self) -> bool:
        """Start the process and do not wait for it; False if it runs already."""
        if self.runs_on == self.port:
            return False
        if self.runs_on:
            raise BrokerError(f"runs already on port {self.runs_on}; stop it first")
        java = _find_java()
        fetch_jars(self.jars)
        for port in (self.port, self.controller_port):
            _check_free(port)
        self._configure()
        self._format_once(java)
        pid = self._launch(java)
        self._pid_file.write_text(f"{pid} {self.port}\n")
        return True

    def await_answer(self) -> None:
        """Return when a launched broker takes requests; one that does not is stopped."""
        try:
            self._await_answer()
        except BrokerError:
            self.stop()
            raise

    def stop(self) -> None:
        """Return when the broker is gone: asked first, killed if it does not listen."""
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)  # a stopped process hears nothing else
            self._gone_within(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Return when the broker is gone, without asking it: what a crash is."""
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
            if not self._gone_within(STOP_SECONDS):
                raise BrokerError(f"process {pid} cannot be killed")
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.data / "broker.pid"

    @property
    def _config(self) -> Path:
        return self.data.absolute() / "server.properties"

    @property
    def _log_dirs(self) -> Path:
        return self.data.absolute() / "topics"

    def _read_pid_file(self) -> tuple[int, int]:
        pid, port = self._pid_file.read_text().split()
        return int(pid), int(port)

    def _is_broker(self, pid: int) -> bool:
        """Whether that process is this broker, and not one that got its number since."""
        with suppress(ChildProcessError):  # not our child: nothing to reap
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                return False
        try:
            os.kill(pid, 0)
            command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (ProcessLookupError, PermissionError):
            return False
        except FileNotFoundError:  # gone since, or a system without /proc
            return not Path("/proc/self").exists()
        return os.fsencode(self._config) in command_line.split(b"\0")

    def _configure(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        text = Template((HERE / "server.properties").read_text()).substitute(
            host=HOST,
            port=self.port,
            controller_port=self.controller_port,
            # Java reads this file as Latin-1 with \-escapes, which JSON's happen to be.
            log_dirs=json.dumps(str(self._log_dirs))[1:-1],
        )
        extra = "".join(f"{key}={value}\n" for key, value in self.properties.items())
        self._config.write_text(f"{text}\n{extra}")

    def _format_once(self, java: str) -> None:
        if (self._log_dirs / "meta.properties").exists():
            return
        command = [java, "-cp", f"{self.jars.absolute()}/*", "kafka.tools.StorageTool"]
        command += ["format", "-t", CLUSTER_ID, "-c", str(self._config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
        if done.returncode:
            raise BrokerError(f"the storage cannot be formatted: {_said(done.stdout + done.stderr)[-1]}")

    def _launch(self, java: str) -> int:
        """Start the broker in its own session, so that neither Ctrl-C nor our end reaches it.

        Not through subprocess.Popen: it would warn of a process still running when let go.
        """
        command = [java, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        command += ["-Dorg.slf4j.simpleLogger.showDateTime=true"]
        command += ["-cp", f"{self.jars.absolute()}/*", "kafka.Kafka", str(self._config)]
        log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            java,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.fspath(self.log), log_flags, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _await_answer(self) -> None:
        pid, _ = self._read_pid_file()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                last = _said(self.log.read_text(errors="replace"))[-1]
                raise BrokerError(f"the broker ended: {last} (all in {self.log})")
            if self.port in _ports_of_brokers(self.port):
                return
            time.sleep(0.1)
        raise BrokerError(f"no answer from {self.bootstrap} in {START_SECONDS} s; see {self.log}")

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@dataclass(frozen=True, slots=True)
class Cluster:
    """Brokers that hold copies of one another's topics, each also a controller."""

    brokers: tuple[Broker, ...]

    @classmethod
    def on_free_ports(
        cls, data: Path, nodes: int = 3, properties: Mapping[str, str] | None = None
    ) -> Cluster:
        """Another cluster, beside any that runs already. With three nodes any one of them may be gone."""
        ports = _free_ports(2 * nodes)
        pairs = list(zip(ports[:nodes], ports[nodes:], strict=True))
        voters = ",".join(f"{node}@{HOST}:{controller}" for node, (_, controller) in enumerate(pairs, 1))
        copies = {name: str(nodes) for name in REPLICATIONS} | {name: str(nodes // 2 + 1) for name in IN_SYNC}
        common = copies | {"controller.quorum.voters": voters} | dict(properties or {})
        return cls(
            tuple(
                Broker(data / f"node-{node}", *pair, properties={"node.id": str(node)} | common)
                for node, pair in enumerate(pairs, 1)
            )
        )

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> None:
        """Return when every broker takes requests; those that run already are left alone."""
        try:
            # All at once, since one alone would wait for the others to vote.
            launched = [broker for broker in self.brokers if broker.launch()]
            for broker in launched:
                broker.await_answer()
        except BrokerError:
            self.kill()
            raise

    def stop(self) -> None:
        """Return when all are gone; the last is killed when nobody is left to agree to its leave."""
        with ThreadPoolExecutor(len(self.brokers)) as at_once:
            list(at_once.map(Broker.stop, self.brokers))

    def kill(self) -> None:
        """Return when all are gone, without asking them."""
        for broker in self.brokers:
            broker.kill()


def why_unavailable(jars: Path = DEFAULT_JARS) -> str | None:
    """Why no broker can be had here, or None; fetches the jars to find out."""
    try:
        _find_java()
        fetch_jars(jars)
    except Unavailable as reason:
        return str(reason)
    return None


def fetch_jars(jars: Path = DEFAULT_JARS) -> None:
    """Bring Kafka's jars from Maven, unless they are there.

    The folder appears whole or not at all, and holds the pom.xml that it was fetched for.
    """
    pom = HERE / "pom.xml"
    with suppress(FileNotFoundError):
        if (jars / pom.name).read_bytes() == pom.read_bytes():
            return
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("Maven (mvn) is needed to fetch Kafka, and is not installed")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=jars.parent) as scratch:
        fetched = Path(scratch, "jars")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={fetched}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"Maven fetched no Kafka within {FETCH_SECONDS} s") from error
        if done.returncode:
            # The first line tells what happened; the last ones are advice about Maven.
            raise Unavailable(f"Maven could not fetch Kafka: {_said(done.stdout + done.stderr)[0]}")
        shutil.copy(pom, fetched)
        with suppress(FileNotFoundError):
            jars.rename(Path(scratch, "old"))
        try:
            fetched.rename(jars)
        except OSError:
            if not (jars / pom.name).exists():  # else another process was quicker: the same jars
                raise


def _find_java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        raise Unavailable(f"Java {JAVA_NEEDED} or later is needed, and is not installed")
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_NEEDED:
        raise Unavailable(f"Java {JAVA_NEEDED} or later is needed; {java} is {said.split(chr(10))[0]}")
    return java


def _free_ports(number: int) -> list[int]:
    with ExitStack() as all_open_so_that_they_differ:
        servers = [
            all_open_so_that_they_differ.enter_context(socket.create_server((HOST, 0))) for _ in range(number)
        ]
        return [server.getsockname()[1] for server in servers]


def _check_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise BrokerError(f"port {port} is taken by something else ({error.strerror})") from error


def _ports_of_brokers(port: int) -> set[int]:
    """Ask for the cluster's metadata, as a client does first, and give the ports of its brokers.

    A connection alone proves little: the port is open, and even answered, some time before the
    controller lets the broker lead partitions. Only then does the list of brokers hold it.
    """
    metadata_v1_of_no_topics = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            size = struct.pack(">i", len(metadata_v1_of_no_topics))
            connection.sendall(size + metadata_v1_of_no_topics)
            (length,) = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))
            return set(_ports_in(connection.recv(length, socket.MSG_WAITALL)))
    except (OSError, struct.error):
        return set()


def _ports_in(metadata_v1: bytes) -> Iterator[int]:
    _correlation, brokers = struct.unpack_from(">ii", metadata_v1)
    offset = 8
    for _ in range(brokers):
        _node, host = struct.unpack_from(">ih", metadata_v1, offset)
        port, rack = struct.unpack_from(">ih", metadata_v1, offset + 6 + host)
        yield port
        offset += 12 + host + max(rack, 0)


def _said(output: str) -> list[str]:
    """What a program printed, without colours and the indented lines of Java's stack traces."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()
    return [line for line in lines if line and not line[0].isspace()] or ["without a word"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A real Apache Kafka on this machine.")
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--controller-port", type=int, default=9093)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="default: %(default)s")
    parser.add_argument(
        "--property",
        dest="properties",
        metavar="KEY=VALUE",
        type=lambda text: text.partition("=")[::2],
        action="append",
        default=[],
        help="one more line for server.properties; may be repeated",
    )
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    broker = Broker(
        arguments.data,
        arguments.port,
        arguments.controller_port,
        properties=dict(arguments.properties),
    )
    running = broker.pid
    try:
        match arguments.command:
            case "start":
                broker.start()
                told = "runs already" if running else "runs"
                print(f"Apache Kafka {told} on {broker.bootstrap} (pid {broker.pid})")
            case "stop":
                broker.stop()
                print("Apache Kafka stopped" if running else "no Apache Kafka was running")
            case "status" if running:
                print(f"Apache Kafka runs on {HOST}:{broker.runs_on} (pid {running})")
            case "status":
                print("no Apache Kafka runs")
                return 1
    except BrokerError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
