"""Which addresses are public, and which a named network allows."""

from ipaddress import ip_network

import pytest

from preference_center.util.networks import PRIVATE, is_named, is_public, private_network

INNER = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:0:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "2001:db8::1",
    "2001:0:7f00:1::",
    "2001:0:808:808::f5ff:fffe",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:a9fe:a9fe::",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
OUTER = [
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTER)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", OUTER)
def test_an_address_of_the_internet_is_in_no_private_network(address: str) -> None:
    assert not is_named(address, PRIVATE)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::10.1.2.3", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("::1", "::1/128"),
        ("fd00::1", "fd00::/8"),
    ],
)
def test_a_named_network_allows_its_addresses_only(address: str, network: str) -> None:
    assert is_named(address, [ip_network(network)])
    others = [each for each in PRIVATE if not each.overlaps(ip_network(network))]
    assert not is_named(address, others)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1"])
def test_no_network_that_can_be_named_has_these(address: str) -> None:
    assert not is_named(address, PRIVATE)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.1.0.0/16", "127.0.0.1", "fd12::/16", "::1"])
def test_a_private_network_can_be_named(text: str) -> None:
    assert private_network(text) == ip_network(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "intranet",
        "0.0.0.0/0",
        "::/0",
        "8.8.8.0/24",
        "10.0.0.0/7",
        "10.0.0.1/8",
        "169.254.0.0/16",
        "169.254.169.254/32",
        "fe80::/10",
        "::ffff:10.0.0.0/104",
    ],
)
def test_another_network_cannot_be_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        private_network(text)
