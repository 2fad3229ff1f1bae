"""`imap` as a service manager runs it, against a real Dovecot (M11, S2)."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import select

from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import dovecot, make, processes
from tests.support.dovecot import Mailbox, Server
from tests.unit.cli.inbox import U, events
from tests.unit.inbound.test_mail import mail

pytestmark = pytest.mark.integration

STOPPED = [("unsubscribed", "weekly-news")]
KILLED = """
import os, signal
from imap_tools import BaseMailBox
from preference_center.cli import main

BaseMailBox.move = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(["imap", "--once"])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with dovecot.server() as running:
        yield running


@pytest.fixture
def mailbox(server: Server) -> Mailbox:
    return server.mailbox(uuid4().hex)


@pytest.fixture
def environ(database: Database, mailbox: Mailbox) -> dict[str, str]:
    """Return the settings of a company with one reader."""
    with database.transaction() as session:
        make.topic(session)
        make.subscriber(session)
    return environment(database, mailbox.url)


def environment(database: Database, imap_url: str) -> dict[str, str]:
    return make.environment(
        DATABASE_URL=database.engine.url.render_as_string(hide_password=False),
        IMAP_URL=imap_url,
        SMTP_URL="smtp://localhost",
        MAIL_FROM="letters@example.org",
    )


def test_one_look_does_all_that_is_there_and_logs_none_of_it(
    database: Database, environ: dict[str, str], mailbox: Mailbox
) -> None:
    mailbox.put(mail("canary", To=U))
    mailbox.put(mail("canary", To="canary@in.example.org"))
    done = processes.run(environ, "imap", "--once")
    assert (done.returncode, events(database), mailbox.messages()) == (0, STOPPED, [])
    said = (done.stdout + done.stderr).decode().lower()
    assert "unsubscribed" in said
    for secret in (U.partition("@")[0], "canary", "example.org", mailbox.user, "127.0.0.1"):
        assert secret not in said


def test_killed_before_a_message_is_moved_it_is_taken_again_with_one_effect(
    database: Database, environ: dict[str, str], mailbox: Mailbox
) -> None:
    mailbox.put(mail(To=U))
    program = [sys.executable, "-c", KILLED]
    killed = subprocess.run(program, env=processes.environment(environ), check=False, timeout=60)
    assert killed.returncode == -9
    assert (events(database), len(mailbox.messages())) == (STOPPED, 1)
    assert b"duplicate" in processes.run(environ, "imap", "--once").stderr
    assert (events(database), mailbox.messages()) == (STOPPED, [])
    with database.reading() as session:
        assert len(session.scalars(select(OutboxRow)).all()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_login_that_is_refused_is_trouble_that_tells_no_secret(
    database: Database, mailbox: Mailbox
) -> None:
    url = replace(mailbox, password="canary-word").url_at("localhost")
    refused = processes.run(environment(database, url), "imap", "--once")
    assert refused.returncode == 75
    said = (refused.stdout + refused.stderr).decode()
    assert "inbound email deferred: the login was refused" in said
    for secret in ("canary", mailbox.user, "localhost"):
        assert secret not in said


def test_a_mail_server_that_was_away_is_asked_again(
    database: Database, environ: dict[str, str]
) -> None:
    with dovecot.server() as server:
        mailbox = server.mailbox("reader")
        mailbox.put(mail(To=U))
        server.stop()
        environ = {**environ, "PREFERENCE_CENTER_IMAP_URL": mailbox.url}
        with processes.running(environ, "imap", "--every", "1") as command:
            processes.wait_for(lambda: "no response" in command.output, "it was not missed")
            server.start()
            processes.wait_for(lambda: events(database) == STOPPED, "it was not asked again")
            assert "Traceback" not in command.output


def test_a_database_that_is_away_is_trouble(mailbox: Mailbox) -> None:
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{processes.free_port()}/nothing"
    environ = make.environment(DATABASE_URL=nowhere, IMAP_URL=mailbox.url)
    away = processes.run(environ, "imap", "--once")
    assert away.returncode == 75
    assert b"the database cannot be used now" in away.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_ends_when_it_is_asked_to(database: Database, environ: dict[str, str]) -> None:
    with processes.running(environ, "imap") as command:
        processes.wait_for(lambda: "Checking" in command.output, "it never began")
        assert command.stop() == 0
        assert command.output == "Checking every 60 seconds (Ctrl+C stops)\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_mailbox_it_says_so(database_url: str) -> None:
    done = processes.run(make.environment(DATABASE_URL=database_url), "imap")
    assert done.returncode == 2
    assert done.stderr == b"PREFERENCE_CENTER_IMAP_URL is missing.\n"
