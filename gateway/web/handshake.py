"""The CloudEvents webhook handshake: a sender asks, before its first event, whether it is welcome.

Source: CloudEvents 1.0.2, HTTP 1.1 Web Hooks for Event Delivery, section 4 (abuse protection). Consent lies
in the ``WebHook-Allowed-Origin`` header of the answer, not in its status. The callback URL that a sender may
offer is never called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.web.answers import Answer

ANY = "*"
_NONE = "text/plain"  # there is no body


def answer(
    headers: Mapping[str, str], allowed: Sequence[str], methods: Sequence[str], rate: int | None = None
) -> Answer:
    """Answer OPTIONS; header names in lower case. Origins are compared whole, without regard to case.

    Without an origin it is 405. ``rate`` is how many requests a minute are let in, None for any number.
    """
    allow = ", ".join((*methods, "OPTIONS"))
    origin = headers.get("webhook-request-origin", "").strip()
    if not origin:
        return Answer(405, content_type=_NONE, headers=(("Allow", allow),))
    consent = {"Allow": allow}
    if ANY in allowed or origin.lower() in (known.lower() for known in allowed):
        consent["WebHook-Allowed-Origin"] = origin
        if "webhook-request-rate" in headers:
            consent["WebHook-Allowed-Rate"] = ANY if rate is None else str(rate)
    return Answer(200, content_type=_NONE, headers=tuple(consent.items()))
