"""Clients that unsubscribe new people from several threads, and count what they get.

    with load.running(base_url) as clients:
        ...  # restart the server
    assert clients.failures == []

Half of the clients connect anew for each request. The others keep their connection, and repeat a
request on a new one if the server closes it without an answer (RFC 9112 section 9.3.1).
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from tests.support.site import link
from tests.support.wire import FORM, RFC, Wire, assert_unsubscribed, head, length, wire

_numbers = itertools.count(1)


@dataclass
class Clients:
    """The addresses whose unsubscribe was acknowledged, and the requests that failed."""

    base_url: str
    acknowledged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    reconnects: int = 0
    stopped: Event = field(default_factory=Event)

    def connect_anew(self) -> None:
        """Unsubscribe one person on each connection."""
        for email in self._people():
            with wire(self.base_url) as connection:
                _send(connection, email)
                self._receive(connection, email)

    def keep_connection(self) -> None:
        """Unsubscribe people on one connection, as long as the server keeps it open."""
        people = self._people()
        email = next(people)
        while not self.stopped.is_set():
            with wire(self.base_url) as connection:
                _send(connection, email)
                self._receive(connection, email)
                for email in people:
                    if _is_closed_after_sending(connection, email):
                        self.reconnects += 1
                        break
                    self._receive(connection, email)

    def run(self, connect: str) -> None:
        try:
            getattr(self, connect)()
        except (OSError, AssertionError) as error:
            self.failures.append(f"{connect}: {error!r}")

    def _people(self) -> Iterator[str]:
        while not self.stopped.is_set():
            yield f"reader-{next(_numbers)}@load.example.org"

    def _receive(self, connection: Wire, email: str) -> None:
        assert_unsubscribed(connection.answer())
        self.acknowledged.append(email)


def _send(connection: Wire, email: str) -> None:
    connection.send(head(link(email=email), FORM, length(RFC)), RFC)


def _is_closed_after_sending(connection: Wire, email: str) -> bool:
    """Send a request, and return whether the connection was closed without an answer."""
    try:
        _send(connection, email)
        return connection.file.peek(1) == b""
    except OSError:
        return True


@contextmanager
def running(base_url: str, threads: int = 4) -> Iterator[Clients]:
    """Yield clients that post until the block ends. A client stops at its first failure."""
    clients = Clients(base_url)
    kinds = itertools.islice(itertools.cycle(("connect_anew", "keep_connection")), threads)
    started = [Thread(target=clients.run, args=(kind,)) for kind in kinds]
    for thread in started:
        thread.start()
    try:
        yield clients
    finally:
        clients.stopped.set()
        for thread in started:
            thread.join()
