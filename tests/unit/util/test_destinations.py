"""Which URLs are refused, before and after their host is resolved."""

import socket
import threading
from typing import Any

import pytest

from preference_center.util.destinations import RefusedUrlError, resolve
from preference_center.util.networks import PRIVATE, private_network


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return the addresses of hosts, which a test sets. Other hosts are looked up as ever."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, **options: Any) -> list[Any]:
        found = [real(each, port, **options) for each in known.get(host, [host])]
        return [answer for answers in found for answer in answers]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def refused(url: str, *named: str) -> bool:
    try:
        resolve(url, map(private_network, named), 5)
    except RefusedUrlError:
        return True
    return False


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "HTTPS://8.8.8.8/",
        "https://user@8.8.8.8/",
        "https://user:secret@8.8.8.8/",
        "https://8.8.8.8/#part",
        "https://8.8.8.8?query",
        "https://8.8.8.8\\@127.0.0.1/",
        "https://8.8.8.8/a b",
        "https://8.8.8.8/\r\nHost: inner",
        "https://8.8.8.8/\n",
        "https://8.8.8.8:0/",
        "https://8.8.8.8:65536/",
        "https://8.8.8.8:x/",
        "https:///path",
        "https://[::1/",
        "https://müller.example/",
        "https://a..b/",
        f"https://{'a' * 64}.example/",
        "https://8.8.8.8/" + "a" * 2000,
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    assert refused(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "localhost",
        "169.254.169.254",
        "2852039166",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[ff02::1]",
        "100.64.0.1",
        "224.0.0.1",
    ],
)
def test_an_inner_host_is_refused_however_it_is_written(host: str) -> None:
    assert refused(f"https://{host}/")
    assert refused(f"http://{host}/")


def test_every_address_of_a_host_counts(answers: dict[str, list[str]]) -> None:
    answers["hooks.example.org"] = ["8.8.8.8", "10.0.0.1"]
    assert refused("https://hooks.example.org/")
    answers["hooks.example.org"] = ["8.8.8.8", "8.8.4.4"]
    found = resolve("https://hooks.example.org/path?query", (), 5)
    assert [address for _, address in found.addresses] == [("8.8.8.8", 443), ("8.8.4.4", 443)]
    assert (found.host_header, found.path) == ("hooks.example.org", "/path?query")


def test_a_named_network_is_allowed_and_no_other(answers: dict[str, list[str]]) -> None:
    answers["inner.example.org"] = ["10.0.0.1"]
    assert not refused("https://inner.example.org/", "10.0.0.0/8")
    assert refused("https://inner.example.org/", "127.0.0.0/8", "192.168.0.0/16")
    assert refused("https://127.0.0.1/", "10.0.0.0/8")
    assert not refused("https://127.0.0.1/", "127.0.0.0/8")


def test_only_a_named_network_needs_no_tls(answers: dict[str, list[str]]) -> None:
    answers["both.example.org"] = ["10.0.0.1", "8.8.8.8"]
    assert refused("http://8.8.8.8/", *map(str, PRIVATE))
    assert not refused("http://10.0.0.1/", "10.0.0.0/8")
    assert refused("http://both.example.org/", "10.0.0.0/8")
    assert not refused("https://both.example.org/", "10.0.0.0/8")


def test_a_host_that_takes_too_long_costs_the_time_given(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30))
    with pytest.raises(TimeoutError):
        resolve("https://hooks.example.org/", (), 0.1)
    over.set()


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://8.8.8.8", "8.8.8.8"),
        ("https://8.8.8.8:443/", "8.8.8.8"),
        ("https://8.8.8.8:8443/", "8.8.8.8:8443"),
        ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443"),
        ("https://[2606:4700::1111]/", "[2606:4700::1111]"),
    ],
)
def test_the_host_header_names_host_and_port(url: str, header: str) -> None:
    assert resolve(url, (), 5).host_header == header
