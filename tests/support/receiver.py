"""A receiver of webhooks on this machine, with TLS, that answers as a test says.

with receiver.running() as own:
    own.answer = lambda post: [receiver.response(500)]
    client().post(own.url, {}, b"{}")
assert own.posts[0].body == b"{}"
"""

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from functools import cache
from ipaddress import ip_network
from typing import Any

from preference_center.outbound.webhook_client import WebhookClient
from tests.support import smtp

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass(frozen=True)
class Post:
    """A request that has arrived."""

    line: str
    headers: Message
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """A running receiver. `answer` returns the bytes to send, piece by piece."""

    url: str
    answer: Callable[[Post], Iterable[bytes]]
    posts: list[Post] = field(default_factory=list)
    connections: int = 0


def response(status: int, *headers: str, body: bytes = b"") -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status} Text", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


@contextmanager
def running(*, tls: bool = True) -> Iterator[Receiver]:
    """Yield a receiver that accepts everything."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            own.connections += 1
            with suppress(OSError):
                opened = _context().wrap_socket(self.request, server_side=True) if tls else None
                _serve(own, opened or self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        host, port = server.server_address[:2]
        scheme = "https" if tls else "http"
        own = Receiver(f"{scheme}://{host!s}:{port}/hook", lambda _: [response(204)])
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield own
        finally:
            server.shutdown()


def client(*, seconds: float = 5, **options: Any) -> WebhookClient:
    """Return a client that trusts the receivers, and may go to loopback addresses."""
    return WebhookClient(options.pop("named", LOOPBACK), tls=trusting(), seconds=seconds, **options)


@cache
def trusting() -> ssl.SSLContext:
    """Return a context that trusts the certificate of the receivers."""
    return ssl.create_default_context(cadata=smtp.certificate()[0].decode())


def _context() -> ssl.SSLContext:
    return smtp.server_tls()


def _serve(own: Receiver, opened: Any) -> None:
    with opened, opened.makefile("rb") as stream:
        line = stream.readline().decode().strip()
        head = b"".join(iter(stream.readline, b"\r\n"))
        headers = BytesParser().parsebytes(head)
        post = Post(line, headers, stream.read(int(headers["Content-Length"] or 0)))
        own.posts.append(post)
        for piece in own.answer(post):
            opened.sendall(piece)
