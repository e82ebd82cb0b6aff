"""The signature inside a message of Amazon SNS, checked against a certificate that the operator has supplied.

Source: Amazon SNS developer guide, "Verifying the signatures of Amazon SNS messages". The message names an
address of its certificate; nothing is ever fetched from it, since whoever forges a message writes that, too.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from gateway import strict_json
from gateway.denials import InvalidSignature
from gateway.errors import Refusal

HEADER = "x-amz-sns-message-type"
# What is signed of each type, in this order; Subject only where there is one.
_OF_A_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _OF_A_CONFIRMATION,
    "UnsubscribeConfirmation": _OF_A_CONFIRMATION,
}
_OPTIONAL = "Subject"
_HASHES: Mapping[str, type[HashAlgorithm]] = {"1": SHA1, "2": SHA256}


@dataclass(frozen=True, slots=True)
class SnsKey:
    """The key of a certificate, and the topics whose messages are believed by it.

    ``sha1`` lets messages of signature version 1 in: so a topic signs until it is told not to.
    """

    public_key: RSAPublicKey = field(repr=False)
    topics: frozenset[str]
    sha1: bool = False


def public_key(pem: bytes) -> RSAPublicKey:
    """Give the key of a certificate. Raises ValueError for anything but an RSA certificate in PEM."""
    key = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate is not of an RSA key")
    return key


def read(body: bytes) -> Mapping[str, str]:
    """Give the members of a message that are text. Raises InvalidSignature for what is no message of SNS."""
    try:
        message = strict_json.parse(body)
    except Refusal as refusal:
        raise InvalidSignature(f"the body is not a message of SNS: {refusal.detail}") from None
    members = message.items() if isinstance(message, dict) else ()
    texts = {name: value for name, value in members if isinstance(value, str)}
    if texts.get("Type") not in SIGNED:
        raise InvalidSignature("the body is not a message of SNS, or was delivered raw, without a signature")
    return texts


def is_signed(message: Mapping[str, str], key: SnsKey) -> bool:
    """Whether a key signed the message, and may for its topic."""
    if message.get("TopicArn") not in key.topics:
        return False
    version = message.get("SignatureVersion", "")
    if version not in _HASHES or (version == "1" and not key.sha1):
        return False
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.public_key.verify(signature, _text(message), PKCS1v15(), _HASHES[version]())
    except (ValueError, NotSigned):
        return False
    return True


def _text(message: Mapping[str, Any]) -> bytes:
    """Each name and value on a line of its own. Raises ValueError when one is missing."""
    names = [name for name in SIGNED[message["Type"]] if name != _OPTIONAL or name in message]
    if missing := [name for name in names if name not in message]:
        raise ValueError(f"{missing[0]} is missing")
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()
