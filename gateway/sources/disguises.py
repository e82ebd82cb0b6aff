"""How JSON comes under another media type, for the sources whose senders do so."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from gateway.errors import MalformedBody
from gateway.model import Problem

PLAIN_TEXT = "text/plain"
FORM = "application/x-www-form-urlencoded"


def as_it_is(body: bytes) -> bytes:
    """The body is JSON, whatever its media type says."""
    return body


def in_payload(body: bytes) -> bytes:
    """Give the one field ``payload`` of a form (WHATWG URL, application/x-www-form-urlencoded).

    Raises MalformedBody.
    """
    fields = [field.partition(b"=") for field in body.split(b"&")]
    payloads = [value for name, _, value in fields if name == b"payload"]
    if len(payloads) != 1:
        told = f"a form needs one field 'payload' with the JSON, this one has {len(payloads)}"
        raise MalformedBody(told, [Problem("", "form", told)])
    return unquote_to_bytes(payloads[0].replace(b"+", b" "))
