"""A TCP proxy for PostgreSQL that can go silent: it accepts data and forwards none.

with proxy.in_front_of(url) as (proxied_url, proxy):
    with proxy.silent(): ...
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import make_url


class Proxy:
    """Forwards between clients and one server. Data that arrives during a silence is lost."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._sockets: list[socket.socket] = []
        self._silent = {"requests": False, "answers": False}
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @contextmanager
    def silent(self, *, requests: bool = True) -> Iterator[None]:
        """Forward no answers, and no requests if `requests`, until the block ends."""
        self._silent.update(requests=requests, answers=True)
        try:
            yield
        finally:
            self._cut()
            self._silent.update(requests=False, answers=False)

    def close(self) -> None:
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        cut, self._sockets = self._sockets, []
        for each in cut:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                server = self._connect()
                self._sockets += (client, server)
                for pair in ((client, server, "requests"), (server, client, "answers")):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, what: str) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._silent[what]:
                    target.sendall(data)
            if not self._silent[what]:
                target.shutdown(socket.SHUT_WR)

    def _connect(self) -> socket.socket:
        if folder := self._url.query.get("host"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{folder}/.s.PGSQL.{self._url.port or 5432}")
            return server
        return socket.create_connection((self._url.host or "127.0.0.1", self._url.port or 5432))


@contextmanager
def in_front_of(url: str) -> Iterator[tuple[str, Proxy]]:
    """Yield the URL of a proxy in front of a server, and the proxy."""
    proxy = Proxy(url)
    through = make_url(url).set(host="127.0.0.1", port=proxy.port)
    through = through.difference_update_query(["host"])
    try:
        yield through.render_as_string(hide_password=False), proxy
    finally:
        proxy.close()
