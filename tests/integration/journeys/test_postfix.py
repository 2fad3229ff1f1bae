"""Inbound email through a real Postfix, while the database or our command is down (M11, M13).

Postfix is set up with the lines of `docs/bounces.md`. A message that cannot be processed stays in
its queue, and is processed once.
"""

import smtplib
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from preference_center.links.mail_tokens import write_mailto
from preference_center.store import Database
from tests.support import make, postfix, postgres, processes, smtp
from tests.unit.inbound.test_mail import mail

# The client is not trusted: only the documented lines let its messages in.
UNTRUSTED = "mynetworks = 192.0.2.1\n"
LATER = "451 4.3.0 Try again later"
UNSUBSCRIBED = [("unsubscribed", "weekly-news")]


def address(email: str) -> str:
    token = write_mailto(make.id_of(email), "weekly-news", (make.LINK_KEY,))
    return f"{token}@in.example.org"


# subscriber -> the message that their email program sends, and its recipient
MESSAGES = {
    "ada@example.org": (mail(Subject=""), address("ada@example.org")),  # Apple Mail
    "ben@example.org": (mail(Subject="Fwd: unsubscribe"), address("ben@example.org")),
    "cleo@example.org": (mail("Bitte abmelden"), address("cleo@example.org")),
    "dora@example.org": (mail(Subject="unsubscribe"), address("dora@example.org").upper()),
}


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    """Return the settings of a company with four subscribers."""
    with database.transaction() as session:
        make.topic(session)
        for email in MESSAGES:
            make.subscriber(session, email)
    url = database.engine.url.render_as_string(hide_password=False)
    return make.environment(DATABASE_URL=url, INBOUND_DOMAIN="in.example.org")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[postfix.Mta, int]]:
    """Yield a Postfix, and the port to which it delivers our email; all other email is refused."""
    port = processes.free_port()
    main = postfix.documented("bounces.md", "main.cf", {"127.0.0.1:8024": f"127.0.0.1:{port}"})
    with smtp.server(replies={"RCPT": "550 5.1.1 no such mailbox"}) as elsewhere:
        relay = f"relayhost = [127.0.0.1]:{elsewhere.url.rpartition(':')[2]}\n"
        with postfix.running(UNTRUSTED + relay + main) as mta:
            yield mta, port


@pytest.fixture
def mta(running: tuple[postfix.Mta, int]) -> postfix.Mta:
    running[0].clear_log()
    return running[0]


@pytest.fixture
def port(running: tuple[postfix.Mta, int]) -> int:
    return running[1]


@contextmanager
def lmtp(environ: dict[str, str], port: int) -> Iterator[processes.Running]:
    """Run `lmtp` on the port to which Postfix delivers."""
    with processes.running(environ, "lmtp", "--listen", f"127.0.0.1:{port}") as command:
        processes.wait_for(lambda: "Listening" in command.output, "an lmtp that listens")
        yield command


@contextmanager
def unavailable(database: Database) -> Iterator[None]:
    """Make a database unavailable: PostgreSQL refuses connections, SQLite's file is locked."""
    if not database.is_sqlite:
        with postgres.refusing(database.engine.url.render_as_string(hide_password=False)):
            yield
        return
    with closing(sqlite3.connect(str(database.engine.url.database))) as locked:
        locked.execute("BEGIN EXCLUSIVE")
        yield


def send_all(mta: postfix.Mta) -> None:
    for email, (raw, recipient) in MESSAGES.items():
        mta.send(raw, email, recipient)


def changes(database: Database) -> dict[str, Any]:
    """Return each subscriber's ledger events after the first, which subscribed them."""
    with database.reading() as session:
        return {email: make.events(session, email)[1:] for email in MESSAGES}


def test_messages_are_processed_once_after_the_database_returns(
    database: Database, environ: dict[str, str], mta: postfix.Mta, port: int
) -> None:
    with lmtp(environ, port):
        with unavailable(database):
            send_all(mta)
            mta.wait_for(LATER)
            assert mta.queued()
        mta.wait_until_delivered()
        assert changes(database) == dict.fromkeys(MESSAGES, UNSUBSCRIBED)
        send_all(mta)  # again, like a server that lost our answer
        mta.wait_for("status=sent", 2 * len(MESSAGES))
    assert changes(database) == dict.fromkeys(MESSAGES, UNSUBSCRIBED)


def test_messages_are_processed_once_after_we_are_killed(
    database: Database, environ: dict[str, str], mta: postfix.Mta, port: int
) -> None:
    with lmtp(environ, port) as command:
        mta.send(mail(), "ada@example.org", address("ada@example.org"))
        command.kill()
    send_all(mta)
    mta.wait_for("status=deferred", len(MESSAGES))
    with lmtp(environ, port):
        mta.wait_until_delivered()
    assert changes(database) == dict.fromkeys(MESSAGES, UNSUBSCRIBED)


def test_undeliverable_email_returns_to_us(
    database: Database, environ: dict[str, str], mta: postfix.Mta, port: int
) -> None:
    minter = make.minter(inbound_domain="in.example.org")
    sender = minter.mint("ada@example.org", "weekly-news", "2026-47").return_path
    command = ["sendmail", "-i", "-f", sender, "ada@example.org"]
    with lmtp(environ, port):
        subprocess.run(command, input=mail(), env=mta.variables, check=True)
        mta.wait_for("status=bounced")
        mta.wait_for("status=sent")
    assert changes(database)["ada@example.org"] == [("unsubscribed", "all")]


def test_other_recipients_are_refused(mta: postfix.Mta) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mta.send(mail(), "ada@example.org", "ada@elsewhere.example")
    assert not mta.queued()
