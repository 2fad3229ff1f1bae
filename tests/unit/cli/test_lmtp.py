"""`lmtp`, as a mail server uses it (M11)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import text

from preference_center.store import Database
from tests.support import processes
from tests.unit.cli.inbox import BEN, U, events, settings_with_subscribers
from tests.unit.inbound.test_mail import dsn, mail

pytestmark = pytest.mark.integration


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    return settings_with_subscribers(database)


class Conversation:
    """An LMTP conversation, line by line (RFC 2033)."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.send(b"LHLO mx.example")

    def send(self, line: bytes) -> str:
        self.socket.sendall(line + b"\r\n")
        return self.reply()

    def reply(self) -> str:
        """Read one reply, which may have several lines, and return its last line."""
        while (line := self.file.readline().decode())[3:4] == "-":
            pass
        return line.strip()

    def deliver(self, raw: bytes, *recipients: str) -> list[str]:
        """Deliver a message and return the reply for each recipient."""
        self.send(b"MAIL FROM:<>")
        for recipient in recipients:
            self.send(f"RCPT TO:<{recipient}>".encode())
        self.send(b"DATA")
        body = raw.replace(b"\r\n.", b"\r\n..")
        self.socket.sendall(body + b"\r\n.\r\n")
        return [self.reply() for _ in recipients]

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def listening(environ: dict[str, str]) -> Iterator[tuple[Conversation, processes.Running]]:
    port = processes.free_port()
    with processes.running(environ, "lmtp", "--listen", f"127.0.0.1:{port}") as command:

        def is_listening() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                return True
            return False

        processes.wait_for(is_listening, "lmtp does not listen")
        conversation = Conversation(port)
        try:
            yield conversation, command
        finally:
            conversation.close()


def test_lmtp_applies_an_unsubscribe_before_it_replies(
    database: Database, environ: dict[str, str]
) -> None:
    with listening(environ) as (lmtp, _):
        assert lmtp.deliver(mail(Subject=""), U.upper()) == ["250 2.0.0 Done"]
        assert events(database) == [("unsubscribed", "weekly-news")]


def test_lmtp_replies_for_each_recipient(database: Database, environ: dict[str, str]) -> None:
    with listening(environ) as (lmtp, _):
        replies = lmtp.deliver(mail(), U, f"{BEN}@in.example.org", "who@in.example.org")
    assert replies == ["250 2.0.0 Done"] * 3
    assert events(database, "ben@example.org") == [("unsubscribed", "weekly-news")]


def test_lmtp_continues_after_invalid_commands_and_messages(
    database: Database, environ: dict[str, str]
) -> None:
    with listening(environ) as (lmtp, _):
        assert lmtp.send(b"NONSENSE").startswith("5")
        assert lmtp.send(b"MAIL FROM:<> SIZE=99999999999").startswith("552")
        lmtp.send(b"RSET")
        assert lmtp.deliver(b"Subject: x\r\n\r\n" + b"y" * 200_000, U) == ["250 2.0.0 Done"]
        lmtp.deliver(b"\x00\xff" * 5000, U)
        assert lmtp.deliver(dsn(), "b-x@in.example.org") == ["250 2.0.0 Done"]
    assert events(database) == [("unsubscribed", "weekly-news")]


def test_lmtp_logs_no_address(environ: dict[str, str]) -> None:
    with listening(environ) as (lmtp, command):
        lmtp.deliver(mail("canary"), U)
        lmtp.deliver(mail("canary"), "canary@in.example.org")
        processes.wait_for(lambda: "quarantined" in command.output, "nothing was logged")
        output = command.output.lower()
    for secret in (U.partition("@")[0], "canary", "example.org"):
        assert secret not in output


def test_lmtp_defers_a_message_while_the_database_fails(
    database: Database, environ: dict[str, str]
) -> None:
    with listening(environ) as (lmtp, _):
        rename(database, "ledger", "ledger_away")
        assert lmtp.deliver(mail(), U) == ["451 4.3.0 Try again later"]
        rename(database, "ledger_away", "ledger")
        assert lmtp.deliver(mail(), U) == ["250 2.0.0 Done"]
    assert events(database) == [("unsubscribed", "weekly-news")]


def rename(database: Database, table: str, name: str) -> None:
    with database.transaction() as session:
        session.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))
