"""Default deny: without credentials a gateway is reached from its own machine only."""

from __future__ import annotations

import ipaddress
import socket

from gateway.errors import SettingsError
from gateway.settings import Settings, variable


def check(settings: Settings) -> None:
    """Raise SettingsError when strangers could send events, unless somebody has said that they may."""
    host = settings.bind.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if settings.credentials_file or settings.allow_anonymous or is_loopback(host):
        return
    file, anonymous = variable("credentials_file"), variable("allow_anonymous")
    raise SettingsError(
        [
            f"{variable('bind')}: {settings.bind} can be reached from other machines; set {file} "
            f"(see gateway credentials new), or {anonymous}=true to take events from anybody"
        ]
    )


def is_loopback(host: str) -> bool:
    """Whether every address of a host is of this machine alone; a name that is not found is not."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_loopback(str(address[0])) for *_, address in found)


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inside = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (inside or parsed).is_loopback
