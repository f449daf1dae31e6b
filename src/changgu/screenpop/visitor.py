"""Who may call the desk from the page `/phone` without an account."""

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit


class VisitorPhone(StrEnum):
    """The setting that opens the visitors' page."""

    OFF = "off"
    LOOPBACK = "loopback"
    """Only from the machine that changgu runs on: a newcomer's first call."""
    EVERYONE = "everyone"
    """Anybody who can reach the page may ring the desk."""


PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Headers of which a proxy sets at least one."""


def may_visit(setting: VisitorPhone, address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers, from this address, may use the visitors' phone.

    A request that came through a proxy is not local, even if the proxy is. A page of another site that points its
    name at this machine (DNS rebinding) is not local either, so the name asked for has to be this machine's, too.
    """
    if setting is VisitorPhone.EVERYONE:
        return True
    if setting is VisitorPhone.OFF or any(name in headers for name in PROXIED):
        return False
    return _is_loopback(address) and _is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname)


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a WebSocket was opened by a page of ours; browsers do not check that by themselves (RFC 6455, 10.2)."""
    return urlsplit(headers.get("origin", "")).netloc == headers.get("host", "-")


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
