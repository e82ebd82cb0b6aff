"""The CloudEvents webhook handshake: a sender asks, before its first event, whether it is welcome.

Source: CloudEvents 1.0.2, HTTP 1.1 Web Hooks for Event Delivery, section 4 (abuse protection). Consent lies
in the ``WebHook-Allowed-Origin`` header of the answer, not in its status. The callback URL that a sender may
offer is never called.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response
from werkzeug.datastructures import Headers

ANY = "*"


def answer(headers: Headers, allowed: Sequence[str], methods: Sequence[str]) -> Response:
    """Answer OPTIONS. Origins are compared whole, without regard to case; 405 without an origin."""
    allow = ", ".join((*methods, "OPTIONS"))
    origin = headers.get("WebHook-Request-Origin", "").strip()
    if not origin:
        return Response(status=405, headers={"Allow": allow})
    consent = {"Allow": allow}
    if ANY in allowed or origin.lower() in (known.lower() for known in allowed):
        consent["WebHook-Allowed-Origin"] = origin
        if "WebHook-Request-Rate" in headers:
            consent["WebHook-Allowed-Rate"] = ANY
    return Response(status=200, headers=consent)
