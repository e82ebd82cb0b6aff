"""An Apache Kafka that asks who is there: SASL and TLS listeners, access control, certificates of its own."""

from __future__ import annotations

import argparse
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from broker import Broker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

USER, PASSWORD, STRANGER = "gateway", "gateway-secret", "stranger"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_LOGIN = "org.apache.kafka.common.security"

CREATES, READS = ("Create", "Describe"), ("Describe", "Read")  # as docs/operators.md says


@dataclass(frozen=True, slots=True)
class Authority:
    """Makes certificates in a folder, as PEM files."""

    folder: Path
    name: str = "authority"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(self.name, key, self.name, key, authority=True)
        _write(self.folder / f"{self.name}.key", _pem_key(key))
        _write(self.folder / f"{self.name}.pem", _pem(certificate))

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def issue(self, name: str) -> tuple[Path, Path]:
        """Give the files of a key and of a certificate for it."""
        own = serialization.load_pem_private_key((self.folder / f"{self.name}.key").read_bytes(), None)
        assert isinstance(own, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        key_file, file = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        _write(key_file, _pem_key(key))
        _write(file, _pem(_certificate(name, key, self.name, own, authority=False)))
        return key_file, file


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """A broker with a listener for each protocol; the plain one is for the tests themselves."""

    broker: Broker
    listeners: Mapping[str, str]
    authority: Authority
    certificate: Path
    key: Path

    def run(self, line: str) -> None:
        """Do what a command of Kafka's own says, which an operator would type.

        kafka-acls.sh is in a jar that nothing else here needs: its options are read and done by a client.
        """
        tool, *options = line.replace("kafka:9092", self.broker.bootstrap).split()
        if tool == "kafka-configs.sh":
            java = ["java", "-cp", f"{self.broker.jars.absolute()}/*", "kafka.admin.ConfigCommand"]
            done = subprocess.run([*java, *options], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return
        assert tool == "kafka-acls.sh"
        parser = argparse.ArgumentParser(exit_on_error=False)
        for flag in ("--bootstrap-server", "--allow-principal", "--topic"):
            parser.add_argument(flag, required=True)
        parser.add_argument("--add", action="store_true", required=True)
        parser.add_argument("--operation", action="append", required=True)
        parser.add_argument("--resource-pattern-type", choices=["prefixed"], required=True)
        read = parser.parse_args(options)
        self.allow(read.allow_principal.removeprefix("User:"), read.topic, read.operation)

    def allow(self, user: str, prefix: str, operations: Iterable[str]) -> None:
        """Let a user do something with the topics whose names begin so."""
        acls = [
            ACL(
                f"User:{user}",
                "*",
                ACLOperation[operation.upper()],
                ACLPermissionType.ALLOW,
                ResourcePattern(ResourceType.TOPIC, prefix, ACLResourcePatternType.PREFIXED),
            )
            for operation in operations
        ]
        with closing(KafkaAdminClient(bootstrap_servers=[self.broker.bootstrap])) as admin:
            assert not admin.create_acls(acls)["failed"]

    def settings(self, protocol: str, mechanism: str = "PLAIN", user: str = USER) -> dict[str, str]:
        """The gateway's settings for a listener."""
        chosen = {
            "kafka_bootstrap_servers": self.listeners[protocol],
            "kafka_security_protocol": protocol,
        }
        if protocol.startswith("SASL"):
            chosen |= {
                "kafka_sasl_mechanism": mechanism,
                "kafka_sasl_username": user,
                "kafka_sasl_password": PASSWORD,
            }
        if protocol.endswith("SSL"):
            chosen["kafka_ssl_ca_file"] = str(self.authority.file)
        if protocol == "SSL":
            chosen |= {
                "kafka_ssl_certificate_file": str(self.certificate),
                "kafka_ssl_key_file": str(self.key),
            }
        return chosen


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Start one; the user ``gateway`` and the stranger have passwords and may do nothing yet."""
    authority = Authority(folder / "certificates")
    key, certificate = authority.issue(USER)
    ports = dict(zip(("SASL_PLAINTEXT", "SSL", "SASL_SSL"), _free_ports(3), strict=True))
    broker = Broker.on_free_ports(folder / "broker")
    listeners = {"PLAINTEXT": broker.bootstrap} | {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    made = SecuredKafka(
        Broker(
            broker.data,
            broker.port,
            broker.controller_port,
            properties=_properties(broker, listeners, authority),
        ),
        listeners,
        authority,
        certificate,
        key,
    )
    made.broker.start()
    try:
        with closing(KafkaAdminClient(bootstrap_servers=[broker.bootstrap])) as admin:
            for name in MECHANISMS[1:]:  # kafka-python 3.0.12 can do one of a user at a time
                mechanism = ScramMechanism[name.replace("-", "_")]
                wanted = [
                    UserScramCredentialUpsertion(user, mechanism, PASSWORD) for user in (USER, STRANGER)
                ]
                told = admin.alter_user_scram_credentials(wanted)
                assert not any(told.values()), told
        yield made
    finally:
        made.broker.stop()


def _properties(broker: Broker, listeners: Mapping[str, str], authority: Authority) -> dict[str, str]:
    key, certificate = authority.issue("broker")
    both = authority.folder / "broker-both.pem"
    _write(both, key.read_bytes() + certificate.read_bytes())
    open_to = ",".join(f"{name}://{address}" for name, address in listeners.items())
    chosen = {
        "listeners": f"{open_to},CONTROLLER://127.0.0.1:{broker.controller_port}",
        "advertised.listeners": open_to,
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*?)$/$1/",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # on the plain listeners
    }
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in (USER, STRANGER))
    for listener in ("sasl_plaintext", "sasl_ssl"):
        at = f"listener.name.{listener}"
        chosen[f"{at}.plain.sasl.jaas.config"] = f"{_LOGIN}.plain.PlainLoginModule required {users};"
        for mechanism in MECHANISMS[1:]:
            login = f"{_LOGIN}.scram.ScramLoginModule required;"
            chosen[f"{at}.{mechanism.lower()}.sasl.jaas.config"] = login
    return chosen


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as all_open_so_that_they_differ:
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
        for server in servers:
            all_open_so_that_they_differ.enter_context(server)
        return [server.getsockname()[1] for server in servers]
