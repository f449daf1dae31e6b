"""Where a guess or a wish comes from, and what it counts for: a telephone, a call, or an address of the web."""

from ipaddress import IPv6Address, ip_address

WEB = "web "
"""What every web source begins with."""
NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one has the whole /64 (RFC 7421), and counts as one."""


def web_source(host: str) -> str:
    """`web 203.0.113.7`, `web 2001:db8:0:1::/64`; whatever is no address counts as one."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"{WEB}unknown"
    if not isinstance(address, IPv6Address):
        return f"{WEB}{address}"
    if address.ipv4_mapped is not None:  # as a socket for both names those who come by IPv4
        return f"{WEB}{address.ipv4_mapped}"
    host_bits = 128 - NETWORK_BITS
    return f"{WEB}{IPv6Address(int(address) >> host_bits << host_bits)}/{NETWORK_BITS}"


def is_web(source: str) -> bool:
    """Whether it came over the page."""
    return source.startswith(WEB)
