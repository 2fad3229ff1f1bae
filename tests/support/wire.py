"""Raw connections to a server: requests and answers as bytes.

    with wire(base_url) as connection:
        assert_unsubscribed(connection.request(head(path, FORM, length(RFC)), RFC))

Over HTTPS the certificate is not verified, since the test has made it.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select

from preference_center.core.vocab import Event
from preference_center.store import Database
from preference_center.store.tables import Base, LedgerRow
from tests.support import make
from tests.support.site import link

HOST = "mail.example.org"
RFC = b"List-Unsubscribe=One-Click"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
CHUNKED, END = b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection to a server."""

    def __init__(self, base_url: str, timeout: float = 30, source: str = "") -> None:
        """Connect from the address `source`, any by default; time out after `timeout` seconds."""
        parts = urlsplit(base_url)
        address = parts.hostname, parts.port or 80
        self.socket = socket.create_connection(address, timeout, (source, 0))
        if parts.scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        self.file = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def request(self, *parts: bytes) -> Answer:
        self.send(*parts)
        return self.answer()

    def answer(self) -> Answer:
        """Read exactly one answer."""
        status = self.file.readline()
        assert status.startswith(b"HTTP/1."), status
        headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.file.readline(), 16):
                body += self.file.read(size)
                self.file.readline()
            self.file.readline()
        else:
            body = self.file.read(int(headers.get("content-length", "0")))
        return Answer(int(status.split()[1]), headers, body)

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def wire(base_url: str, timeout: float = 30, source: str = "") -> Iterator[Wire]:
    opened = Wire(base_url, timeout, source)
    try:
        yield opened
    finally:
        opened.close()


def head(path: str, *lines: bytes, method: bytes = b"POST", version: bytes = b"1.1") -> bytes:
    """Return the head of a request; each of `lines` ends in CR LF."""
    first = method + b" " + path.encode() + b" HTTP/" + version + b"\r\n"
    return first + f"Host: {HOST}\r\n".encode() + b"".join(lines) + b"\r\n"


def length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def assert_unsubscribed(answer: Answer) -> None:
    assert (answer.status, answer.body) == (200, b"You are unsubscribed.\n")
    assert not {"location", "set-cookie", "refresh"} & set(answer.headers)
    assert answer.headers["referrer-policy"] == "no-referrer"


class Served:
    """A running server and a new recipient with an unsubscribe link."""

    count = 0

    def __init__(self, base_url: str, database_url: str) -> None:
        Served.count += 1
        self.base_url, self.database_url = base_url, database_url
        self.email = f"reader-{Served.count}@example.org"
        self.path = link(email=self.email)

    def ledger(self) -> list[LedgerRow]:
        """Return the ledger rows of this subscriber."""
        own = LedgerRow.subscriber_id == make.id_of(self.email)
        database = Database(self.database_url, (make.SERVER_KEY,))
        with database.reading() as session:
            rows = list(session.scalars(select(LedgerRow).where(own).order_by(LedgerRow.seq)))
        database.close()
        return rows

    def rows(self) -> dict[str, list[str]]:
        """Return every row of every table except the page views, which contain no subscriber."""
        database = Database(self.database_url, (make.SERVER_KEY,))
        with database.reading() as session:
            found = {
                table.name: sorted(map(repr, session.execute(select(table))))
                for table in Base.metadata.sorted_tables
                if table.name != "page_views"
            }
        database.close()
        return found

    def unsubscribe_count(self) -> int:
        """Return the number of unsubscribes in the ledger of this subscriber."""
        return [row.event for row in self.ledger()].count(Event.UNSUBSCRIBED)
