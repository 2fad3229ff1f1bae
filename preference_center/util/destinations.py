"""Where a request to a URL of others goes: its host, resolved once and checked."""

import re
import socket
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Any

from preference_center.util.networks import Network, is_named, is_public

MAX_URL_LENGTH = 2000
# Rust's regular expressions and JSON Schema's know this pattern too.
URL_PATTERN = (
    r"^(https?)://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(/[!-\"$-~]*)?$"
)
_URL = re.compile(URL_PATTERN, re.ASCII)
_PORTS = {"https": 443, "http": 80}


class RefusedUrlError(Exception):
    """A URL that no request may be sent to. The message does not say what it resolves to."""


@dataclass(frozen=True)
class Destination:
    """The parts of a URL, and the checked addresses of its host as `socket.connect` takes them."""

    is_tls: bool
    host: str
    port: int
    path: str
    addresses: tuple[tuple[socket.AddressFamily, Any], ...]

    @property
    def host_header(self) -> str:
        """Return the value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == _PORTS["https" if self.is_tls else "http"]
        return host if is_usual else f"{host}:{self.port}"


def resolve(url: str, named: Iterable[Network], seconds: float) -> Destination:
    """Return the destination of a URL, whose host is resolved within `seconds`.

    Every address of the host must be public, or lie in a named network. For a URL without TLS,
    every address must lie in a named network.

    Raises:
        RefusedUrlError: the URL cannot be used, or has another address.
        OSError: the host was not found, or not in time.
    """
    match = _URL.fullmatch(url)
    if match is None or len(url) > MAX_URL_LENGTH:
        raise RefusedUrlError("the URL is not one that requests can be sent to")
    scheme, host, port = match[1], match[2].strip("[]"), int(match[3] or _PORTS[match[1]])
    if not 0 < port < 65536:
        raise RefusedUrlError("the port is not from 1 to 65535")
    addresses = _look_up(host, port, seconds)
    networks = tuple(named)
    for _, address in addresses:
        is_safe = is_named(address[0], networks)
        if not is_safe and (scheme == "http" or not is_public(address[0])):
            raise RefusedUrlError("the host has an address that requests may not be sent to")
    return Destination(scheme == "https", host, port, match[4] or "/", addresses)


def _look_up(host: str, port: int, seconds: float) -> tuple[tuple[socket.AddressFamily, Any], ...]:
    """Return the addresses of a host.

    `getaddrinfo` takes no timeout. One that takes too long ends later, in its thread.
    """
    found: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    Thread(target=ask, daemon=True).start()
    try:
        return tuple((family, address) for family, _, _, _, address in found.result(seconds))
    except UnicodeError:
        raise RefusedUrlError("the host is not a valid name") from None
