"""Who may come in: the check of a credential, then of a rate, before a byte of the body is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.credentials import Credentials, Principal
from gateway.denials import Denial
from gateway.metrics import Metrics
from gateway.rates import ANONYMOUS, Rates


class Guard:
    """Lets requests in, and says whose they are."""

    def __init__(self, credentials: Credentials | None, default_rate: str | None, metrics: Metrics) -> None:
        """Without credentials everybody is let in: that is for a gateway which nobody else can reach."""
        self._credentials = credentials
        self._metrics = metrics
        principals = credentials.principals if credentials else ()
        self._rates = Rates(default_rate, {p.name: p.rate for p in principals if p.rate})

    def admit(
        self, headers: Mapping[str, str], query: str, body: bytes, received: datetime
    ) -> Principal | None:
        """Give the principal, or None when nobody has to be one. Raises a Denial."""
        if self._credentials is None:
            return None
        proof = self._credentials.verify(headers, query, body, received)
        self._metrics.count_use(proof.principal.name, proof.credential.id)
        return proof.principal

    def limit(self, principal: Principal | None) -> None:
        """Count a request against the rate of its principal. Raises RateLimited."""
        self._rates.take(principal.name if principal else ANONYMOUS)

    def rate(self, headers: Mapping[str, str], query: str, now: datetime) -> int | None:
        """Give how many requests a minute the sender of a handshake may send, None for any number.

        A sender that proves nothing, as most do in a handshake, is told the least that anybody may send.
        """
        if self._credentials is None:
            return self._rates.per_minute(ANONYMOUS)
        try:
            proof = self._credentials.verify(headers, query, b"", now)
        except Denial:
            return self._rates.per_minute(None)
        return self._rates.per_minute(proof.principal.name)
