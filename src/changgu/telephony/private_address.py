"""Where a key or password may be sent: over an encrypted line, or not out of this computer."""

import contextlib
import ipaddress
from urllib.parse import urlsplit


def is_private_enough(address: str) -> bool:
    """Whether a key may be sent there: over TLS, or not over a network at all."""
    url = urlsplit(address)
    if url.scheme == "https":
        return bool(url.hostname)
    with contextlib.suppress(ValueError):
        return url.scheme == "http" and ipaddress.ip_address(url.hostname or "").is_loopback
    return url.scheme == "http" and url.hostname == "localhost"
