"""Probing the link: the answer is reported, and no message makes us call our own network."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from preference_center.doctor import probe
from preference_center.doctor.probe import is_public
from preference_center.doctor.report import Finding, Report

ReceivedRequest = tuple[str, str, str, bytes]  # method, path, content type, body
FORM = "application/x-www-form-urlencoded"


class Answering(BaseHTTPRequestHandler):
    """Sends a configured answer and records each request."""

    status = 200
    headers_sent: tuple[tuple[str, str], ...] = ()
    requests: list[ReceivedRequest]

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        type_ = self.headers.get("Content-Type", "")
        self.requests.append((self.command, self.path, type_, self.rfile.read(length)))
        self.send_response(self.status)
        for name, value in self.headers_sent:
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_HEAD = do_POST = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(status: int = 200, **headers: str) -> Iterator[tuple[str, list[ReceivedRequest]]]:
    """Yield the URL of a local server, and the requests that it received."""
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    handler = type(
        "Handler", (Answering,), {"status": status, "headers_sent": sent, "requests": []}
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.requests  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def probed(url: str, own_url: str = "", *, post: bool = False) -> dict[str, Finding]:
    report = Report()
    probe.check(url, own_url, post=post, report=report)
    return {finding.check: finding for finding in report.findings}


def levels(found: dict[str, Finding]) -> dict[str, str]:
    return {check: finding.level for check, finding in found.items()}


def test_a_page_is_probed_only_with_get_and_head() -> None:
    with serving() as (url, requests):
        found = probed(f"{url}/u/x?y", url)
    assert requests == [("GET", "/u/x?y", "", b""), ("HEAD", "/u/x?y", "", b"")]
    assert levels(found) == {"probe-get": "pass", "probe-head": "pass"}
    assert found["probe-get"].message.startswith("200 after ")
    assert "must not unsubscribe" in found["probe-get"].message


def test_the_post_equals_that_of_a_mailbox_provider() -> None:
    with serving() as (url, requests):
        found = probed(url, url, post=True)
    assert requests[-1] == ("POST", "/", FORM, b"List-Unsubscribe=One-Click")
    assert found["probe-post"].level == "pass"
    assert "is now unsubscribed" in found["probe-post"].message


@pytest.mark.parametrize("status", [302, 308, 400, 405, 500, 204])
def test_a_status_other_than_200_fails_the_post(status: int) -> None:
    with serving(status) as (url, requests):
        found = probed(url, url, post=True)
    assert levels(found) == {
        "probe-get": "warning",
        "probe-head": "warning",
        "probe-post": "failure",
    }
    assert found["probe-post"].message.startswith(f"{status} after ")
    assert len(requests) == 3


def test_a_redirect_is_reported_and_not_followed() -> None:
    with serving(302, Location="/login\x1b[2J") as (url, requests):
        found = probed(url, url, post=True)
    assert r"redirects to /login\x1b[2J" in found["probe-post"].message
    assert {path for _, path, _, _ in requests} == {"/"}


def test_cookies_are_reported() -> None:
    with serving(Set_Cookie="a=b") as (url, _):
        found = probed(url, url, post=True)
    assert levels(found)["probe-post"] == "warning"
    assert "1 cookies set" in found["probe-post"].message


def test_a_slow_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_SLOW_SECONDS", 0.0)
    with serving() as (url, _):
        assert set(levels(probed(url, url, post=True)).values()) == {"warning"}


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0"),
        *("[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00::1]", "[fe80::1]"),
        *("169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "224.0.0.1"),
    ],
)
def test_a_private_address_is_not_called(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "create_connection", None)
    found = probed(f"https://{host}/", "https://mail.example.org", post=True)
    assert levels(found) == {"probe-get": "failure"}
    assert "private network" in found["probe-get"].message


@pytest.mark.parametrize("url", ["http://example.org/u", "https://[x/", "https://a:b/", "https://"])
def test_an_unusable_url_is_not_opened(url: str) -> None:
    assert levels(probed(url)) == {"probe-get": "failure"}


def test_a_name_is_resolved_once_and_that_address_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[object] = []

    def connect(address: object, *_: object) -> None:
        called.append(address)
        raise TimeoutError

    def resolve(*_: object, **__: object) -> list[object]:
        assert not called
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))]

    monkeypatch.setattr(probe, "getaddrinfo", resolve)
    monkeypatch.setattr(probe, "create_connection", connect)
    found = probed("https://rebinding.example.org/u")["probe-get"]
    assert called == [("93.184.215.14", 443)]
    assert (found.level, found.inconclusive) == ("warning", True)
    assert "It cannot be reached (TimeoutError)" in found.message


def test_a_name_with_a_private_address_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [(2, 1, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(probe, "getaddrinfo", lambda *_, **__: addresses)
    assert levels(probed("https://both.example.org/")) == {"probe-get": "failure"}


def test_an_unreachable_server_is_inconclusive() -> None:
    with serving() as (url, _):
        pass
    found = probed(url, url)["probe-get"]
    assert (found.level, found.inconclusive) == ("warning", True)


def test_a_certificate_is_verified() -> None:
    with serving() as (url, _):
        secure = url.replace("http:", "https:")
        assert probed(secure, secure)["probe-get"].inconclusive


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::6810:84e5", "64:ff9b::5db8:d70e"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert is_public(address)
