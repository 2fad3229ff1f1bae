"""Request the link as mail programs do: GET and HEAD, and POST if asked to.

Only public IP addresses are contacted. A name is resolved once and the connection uses that
address, so that a message cannot make this machine send requests to its own network. Redirects are
not followed.
"""

import ssl
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import IPPROTO_TCP, create_connection, getaddrinfo
from urllib.parse import urlsplit

from preference_center.doctor.headers import ONE_CLICK, host_of
from preference_center.doctor.report import Report, printable

_TIMEOUT_SECONDS = 10.0  # for each step of a request
_SLOW_SECONDS = 5.0  # Tuta for Android gives up then
_NAT64 = IPv6Network("64:ff9b::/96")
_AGENT = "preference-center-doctor"


class UnreachableError(Exception):
    """The link could not be requested from here. The message says why."""


class NotPublicError(UnreachableError):
    """No mailbox provider can reach the link."""


@dataclass(frozen=True)
class Answer:
    """A response: status, redirect target, number of cookies, and time taken."""

    status: int
    location: str
    cookies: int
    seconds: float

    def __str__(self) -> str:
        cookies = f", {self.cookies} cookies set" if self.cookies else ""
        leads = f", redirects to {printable(self.location)}" if self.location else ""
        return f"{self.status} after {self.seconds * 1000:,.0f} ms{leads}{cookies}"


def check(url: str, own_url: str, *, post: bool, report: Report) -> None:
    """Request a link and check the responses. `own_url` is PUBLIC_URL, which may be local."""
    for method in ("GET", "HEAD", *(["POST"] if post else [])):
        name = f"probe-{method.lower()}"
        try:
            answer = ask(method, url, own_url)
        except NotPublicError as error:
            report.fail(name, f"{error}: no mailbox provider can reach it.", "Use a public host.")
            return
        except UnreachableError as error:
            report.inconclusive(
                name, f"{error}.", "Try again from a machine with access to the internet."
            )
            return
        if method == "POST":
            _check_post(answer, report)
        else:
            _check_page(name, answer, report)


def ask(method: str, url: str, own_url: str) -> Answer:
    """Send one request and return the response. Raise UnreachableError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise NotPublicError("It is not an https address") from error
    own = bool(own_url) and host == host_of(own_url)
    if not host or (parts.scheme != "https" and not own):
        raise NotPublicError("It is not an https address")
    connection = _connect(host, port, secure=parts.scheme == "https", own=own)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    started = time.monotonic()
    try:
        return _request(connection, method, target or "/", started)
    except (HTTPException, OSError, ValueError) as error:
        raise UnreachableError(f"The server does not respond ({type(error).__name__})") from error
    finally:
        connection.close()


def _request(connection: HTTPConnection, method: str, target: str, started: float) -> Answer:
    headers = {"User-Agent": _AGENT, "Accept": "text/html", "Connection": "close"}
    body = ONE_CLICK if method == "POST" else None
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    return Answer(
        status=response.status,
        location=response.getheader("Location", ""),
        cookies=len(response.headers.get_all("Set-Cookie", [])),
        seconds=time.monotonic() - started,
    )


def _connect(host: str, port: int, *, secure: bool, own: bool) -> HTTPConnection:
    """Return a connection to the IP address that was checked."""
    try:
        found = getaddrinfo(host, port, proto=IPPROTO_TCP)
        addresses = [str(each[4][0]) for each in found]
        if not own and not all(map(is_public, addresses)):
            raise NotPublicError("It leads into a private network")
        plain = create_connection((addresses[0], port), _TIMEOUT_SECONDS)
        connection = (HTTPSConnection if secure else HTTPConnection)(host, port)
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(plain, server_hostname=host) if secure else plain
    except (OSError, ValueError) as error:
        raise UnreachableError(f"It cannot be reached ({type(error).__name__})") from error
    return connection


def is_public(address: str) -> bool:
    """Return True if an IP address, and one embedded in it, is globally reachable."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def _check_page(name: str, answer: Answer, report: Report) -> None:
    if answer.status != 200:
        report.warn(
            name,
            f"{answer}.",
            "Respond with 200 and a page: several mail programs open the link instead of posting.",
        )
    elif answer.seconds > _SLOW_SECONDS:
        report.warn(name, f"{answer}.", "Respond within a second: people close slow pages.")
    else:
        report.passed(
            name,
            f"{answer}. Not checked: it must show a page and must not unsubscribe.",
        )


def _check_post(answer: Answer, report: Report) -> None:
    if answer.status != 200:
        report.fail(
            "probe-post",
            f"{answer}.",
            "Respond to the POST with 200, without a redirect (RFC 8058).",
        )
    elif answer.cookies or answer.seconds > _SLOW_SECONDS:
        report.warn("probe-post", f"{answer}.", "Respond within a second and set no cookie.")
    else:
        report.passed("probe-post", f"{answer}. The recipient of this message is now unsubscribed.")
