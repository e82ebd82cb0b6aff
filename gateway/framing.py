"""What is wrong with the head of a request, before the gateway looks at what it asks for.

Told as problem documents at the ASGI door; at the Flask door gunicorn answers, with a page of its own.
"""

from __future__ import annotations

from gateway.errors import Refusal


class UriTooLong(Refusal):
    """A request line over its limit."""

    type, status, title = "uri-too-long", 414, "The request line is longer than this gateway reads"


class HeadersTooLarge(Refusal):
    """A header, the number of headers, or all of them together, over the limit."""

    type, status, title = "headers-too-large", 431, "The headers are more than this gateway reads"


class ExpectationFailed(Refusal):
    """An ``Expect`` other than ``100-continue``."""

    type, status, title = "expectation-failed", 417, "The expectation cannot be met"


class UnsupportedTransferCoding(Refusal):
    """A Transfer-Encoding that is not known (RFC 9112 section 6.1)."""

    type, status, title = "unsupported-transfer-coding", 501, "The transfer coding is not known"
