"""Limit what a client may ask for by the hour. Never an unsubscribe: only requested emails."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

LINKS_AN_HOUR = RateLimitItemPerHour(10)
_NETWORK_BITS = 64  # one subscriber line holds at least a /64 of IPv6 (RFC 6177)


class Limits:
    """Counts in this process's memory alone: no client's address is ever stored."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def allow(self, origin: str) -> bool:
        """Count one more emailed link for a client's address; False where it has had its share."""
        return self._limiter.hit(LINKS_AN_HOUR, counted_as(origin))


def counted_as(origin: str) -> str:
    """Return what an address is counted under: IPv4 itself, IPv6 its /64.

    Some proxies add a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. IPv4 written as IPv6
    (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is IPv4.
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
