"""Which IP addresses a request to a URL of others may go to (requirement S5)."""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Only these can be named. Link-local addresses, which serve a cloud's metadata, never are.
PRIVATE: tuple[Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv6Network("fc00::/7"),
    IPv6Network("::1/128"),
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def private_network(text: str) -> Network:
    """Return the private network that a text names, or raise ValueError."""
    network = ip_network(text)
    if not any(_contains(each, network) for each in PRIVATE):
        raise ValueError("the network is not private")
    return network


def is_named(address: str, named: Iterable[Network]) -> bool:
    """Return True if an address, as `getaddrinfo` returns it, lies in a named network."""
    networks = tuple(named)
    return all(any(each in network for network in networks) for each in _reached(address))


def is_public(address: str) -> bool:
    """Return True if an address, as `getaddrinfo` returns it, is one of the public Internet."""
    return all(map(_is_public, _reached(address)))


def _reached(text: str) -> tuple[Address, ...]:
    """Return the addresses that packets to an address reach, or may reach.

    An IPv6 address can contain an IPv4 address: IPv4-mapped (RFC 4291 §2.5.5.2), NAT64 (RFC 6052),
    6to4 (RFC 3056), Teredo (RFC 4380).
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return (address,)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    single = address.ipv4_mapped or address.sixtofour
    return address.teredo or (single or address,)


def _is_public(address: Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    return isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)
