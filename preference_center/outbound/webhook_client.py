"""Post a message to a URL that others have chosen, and to no other machine than it may (S5).

The host is resolved once, each of its addresses is checked, and the connection is made to a
checked address. No redirect is followed, no proxy is used, and one deadline covers it all.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from preference_center.util.destinations import Destination, RefusedUrlError, resolve
from preference_center.util.networks import Network

MAX_SECONDS = 15.0
MAX_ANSWER_BYTES = 65_536


class NoAnswerError(Exception):
    """There was no HTTP answer. The message says why, without an address."""


@dataclass(frozen=True)
class Answer:
    """The status of an HTTP answer, and its header Retry-After or ""."""

    status: int
    retry_after: str


class WebhookClient:
    """Posts messages. It may go to the private networks that are `named`.

    `tls` replaces the default context, which trusts the authorities that this machine trusts.
    """

    def __init__(
        self,
        named: Sequence[Network] = (),
        *,
        tls: ssl.SSLContext | None = None,
        seconds: float = MAX_SECONDS,
    ) -> None:
        self._named, self._seconds = tuple(named), seconds
        self._tls = tls or ssl.create_default_context()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body, and return the status of the answer. Its body is read and thrown away.

        Raises:
            NoAnswerError: there was no answer within the time, or the URL may not be used.
        """
        deadline = time.monotonic() + self._seconds
        try:
            destination = resolve(url, self._named, self._seconds)
            with _connected(destination, deadline) as plain:
                if not destination.is_tls:
                    return _exchange(plain, destination, headers, body, deadline)
                plain.settimeout(_left(deadline))
                with self._tls.wrap_socket(plain, server_hostname=destination.host) as secure:
                    return _exchange(secure, destination, headers, body, deadline)
        except RefusedUrlError as error:
            raise NoAnswerError(str(error)) from None
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._seconds:g} seconds") from None
        except socket.gaierror:
            raise NoAnswerError("the host was not found") from None
        except ssl.SSLCertVerificationError:
            raise NoAnswerError("the certificate is not trusted") from None
        except (OSError, HTTPException) as error:
            raise NoAnswerError(f"the connection failed ({type(error).__name__})") from None


def _left(deadline: float) -> float:
    """Return the seconds that are left, or raise TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(destination: Destination, deadline: float) -> socket.socket:
    """Return a connection to the first address that takes one. Each gets its part of the time."""
    failure: OSError = TimeoutError()
    for index, (family, address) in enumerate(destination.addresses):
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(_left(deadline) / (len(destination.addresses) - index))
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            opened.close()
            failure = error
        else:
            return opened
    raise failure


def _exchange(
    opened: socket.socket,
    destination: Destination,
    headers: Mapping[str, str],
    body: bytes,
    deadline: float,
) -> Answer:
    connection = HTTPConnection(destination.host, destination.port)
    limited: Any = _Limited(opened, deadline)  # What HTTPConnection uses of a socket.
    connection.sock = limited
    own = {
        "Host": destination.host_header,
        "Connection": "close",
        "User-Agent": "preference-center",
    }
    connection.request("POST", destination.path, body, {**headers, **own})
    response = connection.getresponse()
    _finish(response)
    return Answer(response.status, response.headers.get("Retry-After", ""))


def _finish(response: HTTPResponse) -> None:
    """Read the rest of an answer, so that its sender sees no reset. The status counts anyway."""
    with suppress(OSError, HTTPException, ValueError):
        while response.read(8192):
            pass


class _Limited:
    """A socket with one deadline for all that is sent and read, and a limit of what is read."""

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = opened, deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Received(self._socket, self._deadline))

    def close(self) -> None:
        """Leave the socket open; `post` closes it."""


class _Received(io.RawIOBase):
    """What a socket receives until the deadline, up to MAX_ANSWER_BYTES.

    The end is an error, because http.client takes a head that is cut off for a whole one.
    """

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket, self._deadline, self._left = opened, deadline, MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._deadline))
        count = self._socket.recv_into(memoryview(buffer)[: self._left])
        if not count:
            raise ConnectionAbortedError
        self._left -= count
        return count
