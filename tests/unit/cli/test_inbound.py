"""`receive`, `lmtp` and `unread`, as a mail server and a person call them (M11, M13)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import text

from preference_center.links.mail_tokens import write_mailto
from preference_center.store import Database
from tests.support import make, processes
from tests.unit.inbound.test_mail import dsn, mail

U = f"{write_mailto(make.person(), 'weekly-news', (make.LINK_KEY,))}@in.example.org"
BEN = write_mailto(make.person("ben@example.org"), "weekly-news", (make.LINK_KEY,))


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    """Return the settings of a company with two readers."""
    with database.transaction() as session:
        make.topic(session)
        make.reader(session)
        make.reader(session, "ben@example.org")
    url = database.engine.url.render_as_string(hide_password=False)
    return make.environment(DATABASE_URL=url, INBOUND_DOMAIN="in.example.org")


def events(database: Database, email: str = "ada@example.org") -> list[tuple[str, str | None]]:
    with database.reading() as session:
        return make.events(session, email)[1:]


class Conversation:
    """An LMTP conversation, line by line (RFC 2033)."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.answer()
        self.ask(b"LHLO mx.example")

    def ask(self, line: bytes) -> str:
        self.socket.sendall(line + b"\r\n")
        return self.answer()

    def answer(self) -> str:
        """Read one answer, of however many lines, and return its last."""
        while (line := self.file.readline().decode())[3:4] == "-":
            pass
        return line.strip()

    def deliver(self, raw: bytes, *recipients: str) -> list[str]:
        """Hand a message over, and return the answer for each recipient."""
        self.ask(b"MAIL FROM:<>")
        for recipient in recipients:
            self.ask(f"RCPT TO:<{recipient}>".encode())
        self.ask(b"DATA")
        body = raw.replace(b"\r\n.", b"\r\n..")
        self.socket.sendall(body + b"\r\n.\r\n")
        return [self.answer() for _ in recipients]

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def listening(environ: dict[str, str]) -> Iterator[tuple[Conversation, processes.Running]]:
    port = processes.free_port()
    with processes.running(environ, "lmtp", "--listen", f"127.0.0.1:{port}") as command:

        def answers() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                return True
            return False

        processes.wait_for(answers, "lmtp does not listen")
        conversation = Conversation(port)
        try:
            yield conversation, command
        finally:
            conversation.close()


def test_lmtp_does_what_a_message_says_before_it_answers(
    database: Database, environ: dict[str, str]
) -> None:
    with listening(environ) as (lmtp, _):
        assert lmtp.deliver(mail(Subject=""), U.upper()) == ["250 2.0.0 Done"]
        assert events(database) == [("unsubscribed", "weekly-news")]


def test_lmtp_answers_for_each_recipient(database: Database, environ: dict[str, str]) -> None:
    with listening(environ) as (lmtp, _):
        told = lmtp.deliver(mail(), U, f"{BEN}@in.example.org", "who@in.example.org")
    assert told == ["250 2.0.0 Done"] * 3
    assert events(database, "ben@example.org") == [("unsubscribed", "weekly-news")]


def test_lmtp_goes_on_after_what_it_refuses(database: Database, environ: dict[str, str]) -> None:
    with listening(environ) as (lmtp, _):
        assert lmtp.ask(b"NONSENSE").startswith("5")
        assert lmtp.ask(b"MAIL FROM:<> SIZE=99999999999").startswith("552")
        lmtp.ask(b"RSET")
        assert lmtp.deliver(b"Subject: x\r\n\r\n" + b"y" * 200_000, U) == ["250 2.0.0 Done"]
        lmtp.deliver(b"\x00\xff" * 5000, U)
        assert lmtp.deliver(dsn(), "b-x@in.example.org") == ["250 2.0.0 Done"]
    assert events(database) == [("unsubscribed", "weekly-news")]


def test_lmtp_logs_no_address(environ: dict[str, str]) -> None:
    with listening(environ) as (lmtp, command):
        lmtp.deliver(mail("canary"), U)
        lmtp.deliver(mail("canary"), "canary@in.example.org")
        processes.wait_for(lambda: "kept" in command.output, "nothing was logged")
        said = command.output.lower()
    for secret in (U.partition("@")[0], "canary", "example.org"):
        assert secret not in said


def test_while_the_database_fails_the_mail_server_keeps_the_message(
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


def test_receive_takes_a_message_from_a_pipe(database: Database, environ: dict[str, str]) -> None:
    done = processes.run(environ, "receive", "--recipient", U, stdin=mail())
    assert (done.returncode, done.stdout) == (0, b"unsubscribed\n")
    assert events(database) == [("unsubscribed", "weekly-news")]


def test_receive_exits_so_that_a_mail_server_tries_again() -> None:
    for changes in ({"DATABASE_URL": "sqlite:////nowhere/x.db"}, {"LINK_KEYS": ""}):
        environ = make.environment(**changes)
        assert processes.run(environ, "receive", stdin=mail()).returncode == 75


def test_receive_refuses_what_is_no_message(environ: dict[str, str]) -> None:
    assert processes.run(environ, "receive").returncode == 65


def test_what_nobody_understood_can_be_seen_and_forgotten(environ: dict[str, str]) -> None:
    raw = mail("please help me")
    assert b"quarantine is empty" in processes.run(environ, "quarantine", "list").stdout
    assert processes.run(environ, "receive", stdin=raw).stdout == b"quarantined: not understood\n"
    digest = processes.run(environ, "quarantine", "list").stdout.split()[0].decode()
    assert processes.run(environ, "quarantine", "show", digest).stdout == raw
    assert processes.run(environ, "quarantine", "drop", "").returncode == 2
    assert processes.run(environ, "quarantine", "drop", digest).returncode == 0
    assert b"quarantine is empty" in processes.run(environ, "quarantine", "list").stdout
    assert processes.run(environ, "quarantine", "show", digest).returncode == 2


def test_what_came_in_is_counted(environ: dict[str, str]) -> None:
    assert (
        processes.run(environ, "inbound-stats").stdout
        == b"There were no inbound messages or events.\n"
    )
    forged = f"{U[:10]}{'a' if U[10] != 'a' else 'b'}{U[11:]}"
    for recipient, raw in ((U, mail()), (U, mail()), (forged, mail()), ("", mail("hello"))):
        arguments = ["--recipient", recipient] if recipient else []
        assert processes.run(environ, "receive", *arguments, stdin=raw).returncode == 0
    lines = processes.run(environ, "inbound-stats").stdout.decode().splitlines()
    assert [line.split(maxsplit=2) for line in lines] == [
        ["1", "mail", "duplicate"],
        ["1", "mail", "quarantined: a token that we did not sign"],
        ["1", "mail", "quarantined: not understood"],
        ["1", "mail", "unsubscribed"],
    ]
    assert processes.run(environ, "inbound-stats", "--until", "2026-01-01").stdout.startswith(
        b"There were no"
    )
