"""Messages of SNS are believed by the certificate that the operator supplied, and for its topics alone."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509.oid import NameOID

from gateway.credentials import Credentials
from gateway.denials import Denial, InvalidSignature, Unauthenticated
from gateway.errors import SettingsError
from tests.keys import basic, hashed, principal, read

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": TOPIC,
    "Message": '{"AlarmName": "cpu"}\nüber',
    "Timestamp": "2026-05-04T10:00:00.400Z",
    "SignatureVersion": "2",
    "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
}
CONFIRMATION = NOTIFICATION | {
    "Type": "SubscriptionConfirmation",
    "Token": "t",
    "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
}
# As the developer guide lists them.
LINES = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": [
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ],
}


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return (
        built.not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(1))
        .sign(key, SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def signed(message: dict[str, str], key: rsa.RSAPrivateKey = KEY) -> bytes:
    text = "".join(f"{name}\n{message[name]}\n" for name in LINES[message["Type"]] if name in message)
    digest = SHA1() if message["SignatureVersion"] == "1" else SHA256()
    signature = key.sign(text.encode(), PKCS1v15(), digest)
    return json.dumps(message | {"Signature": base64.b64encode(signature).decode()}).encode()


def credential(more: str = "", topics: str = TOPIC) -> str:
    return (
        '[[principals.credentials]]\nkind = "sns"\nid = "2026"\ncertificate_file = "sns.pem"\n'
        f'topics = ["{topics}"]\n{more}\n'
    )


def known(folder: Path, *more: str, sha1: bool = False) -> Credentials:
    (folder / "sns.pem").write_bytes(certificate())
    return read(folder, principal("aws", credential("sha1 = true" if sha1 else ""), *more))


def sender(credentials: Credentials, body: bytes, **headers: str) -> str:
    sent = {"x-amz-sns-message-type": "Notification"} | headers
    return credentials.verify(sent, "", body, NOW).principal.name


@pytest.mark.parametrize("message", [NOTIFICATION, NOTIFICATION | {"Subject": "ALARM"}, CONFIRMATION])
def test_a_message_that_the_certificate_signed_is_its_principals(
    tmp_path: Path, message: dict[str, str]
) -> None:
    assert sender(known(tmp_path), signed(message)) == "aws"


@pytest.mark.parametrize("member", ["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
def test_a_message_that_was_changed_is_not(tmp_path: Path, member: str) -> None:
    changed = json.loads(signed(NOTIFICATION))
    changed[member] += "x"
    with pytest.raises(InvalidSignature):
        sender(known(tmp_path), json.dumps(changed).encode())


def test_nor_is_one_that_somebody_else_signed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSignature):
        sender(known(tmp_path), signed(NOTIFICATION, STRANGERS_KEY))


def test_nor_is_a_good_one_of_another_topic(tmp_path: Path) -> None:
    """Anybody can have SNS sign for a topic of his own."""
    with pytest.raises(InvalidSignature):
        sender(known(tmp_path), signed(NOTIFICATION | {"TopicArn": TOPIC + "-of-a-stranger"}))


def test_sha_1_is_believed_where_it_is_asked_for_alone(tmp_path: Path) -> None:
    old = signed(NOTIFICATION | {"SignatureVersion": "1"})
    assert sender(known(tmp_path, sha1=True), old) == "aws"
    with pytest.raises(InvalidSignature):
        sender(known(tmp_path), old)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"{}", b'{"Type": 1}', b'{"Type": []}', b'{"Type": {}}', b'{"AlarmName": "raw"}'),
        signed(NOTIFICATION)[:-2] + b'\\"}',
    ],
)
def test_what_is_no_message_of_sns_is_not_signed(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        sender(known(tmp_path), body)


@pytest.mark.parametrize("member", ["Signature", "SignatureVersion", "MessageId", "TopicArn"])
@pytest.mark.parametrize("value", [None, 7, "?", "é"])
def test_a_member_of_another_form_is_no_crash(tmp_path: Path, member: str, value: Any) -> None:
    body = json.loads(signed(NOTIFICATION)) | {member: value}
    with pytest.raises(InvalidSignature):
        sender(known(tmp_path), json.dumps(body).encode())


def test_a_password_does_as_well(tmp_path: Path) -> None:
    """Raw delivery has no signature."""
    credentials = known(tmp_path, hashed("basic", "aws:hunter-two-three-four", id="two"))
    assert sender(credentials, b'{"AlarmName": "cpu"}', **basic("aws", "hunter-two-three-four")) == "aws"


def test_without_the_header_of_sns_no_body_is_looked_into(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated):
        known(tmp_path).verify({}, "", signed(NOTIFICATION), NOW)


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN CERTIFICATE-----", certificate(ec.generate_private_key(ec.SECP256R1()))]
)
def test_a_file_that_is_no_rsa_certificate_is_a_fault_with_its_place(tmp_path: Path, pem: bytes) -> None:
    (tmp_path / "sns.pem").write_bytes(pem)
    with pytest.raises(
        SettingsError, match=r"principal aws, credential 2026: sns\.pem is not an RSA certificate"
    ):
        read(tmp_path, principal("aws", credential()))


def test_a_file_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"sns\.pem cannot be read"):
        read(tmp_path, principal("aws", credential()))


def test_a_topic_is_of_one_principal(tmp_path: Path) -> None:
    (tmp_path / "sns.pem").write_bytes(certificate())
    with pytest.raises(SettingsError, match="two principals have the SNS topic"):
        read(tmp_path, "\n".join(principal(name, credential()) for name in ("one", "two")))


def test_every_denial_of_it_is_a_401(tmp_path: Path) -> None:
    with pytest.raises(Denial) as denied:
        sender(known(tmp_path), b"{}")
    assert denied.value.status == 401
