"""Limit the emails that a client can request. Unsubscribes are never limited."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

MAX_LINKS_PER_HOUR = RateLimitItemPerHour(10)
_NETWORK_BITS = 64  # A site gets at least a /64 of IPv6 (RFC 6177).


class Limits:
    """Counts in this process's memory only: the address of a client is never stored."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, origin: str) -> bool:
        """Count one more emailed link for a client's address; return False above the limit."""
        return self._limiter.hit(MAX_LINKS_PER_HOUR, counted_as(origin))


def counted_as(origin: str) -> str:
    """Return the key under which an address is counted: an IPv4 address, or the /64 of an IPv6.

    Accepts the port that some proxies add: `192.0.2.1:4711`, `[2001:db8::1]:4711`. An IPv4-mapped
    IPv6 address (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is counted as IPv4.
    """
    try:
        address = ip_address(_without_port(origin.strip()))
    except ValueError:
        return origin
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _NETWORK_BITS), strict=False))


def _without_port(origin: str) -> str:
    if origin.startswith("["):
        return origin[1:].partition("]")[0]
    return origin.partition(":")[0] if origin.count(":") == 1 else origin
