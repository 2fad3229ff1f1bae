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

UNSUBSCRIBED = [("unsubscribed", "weekly-news")]
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
    """Add one subscriber and return the settings."""
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


def test_one_check_processes_every_message_and_logs_no_content(
    database: Database, environ: dict[str, str], mailbox: Mailbox
) -> None:
    mailbox.put(mail("canary", To=U))
    mailbox.put(mail("canary", To="canary@in.example.org"))
    done = processes.run(environ, "imap", "--once")
    assert (done.returncode, events(database), mailbox.messages()) == (0, UNSUBSCRIBED, [])
    output = (done.stdout + done.stderr).decode().lower()
    assert "unsubscribed" in output
    for secret in (U.partition("@")[0], "canary", "example.org", mailbox.user, "127.0.0.1"):
        assert secret not in output


def test_a_crash_before_moving_a_message_does_not_repeat_its_effect(
    database: Database, environ: dict[str, str], mailbox: Mailbox
) -> None:
    mailbox.put(mail(To=U))
    program = [sys.executable, "-c", KILLED]
    killed = subprocess.run(program, env=processes.environment(environ), check=False, timeout=60)
    assert killed.returncode == -9
    assert (events(database), len(mailbox.messages())) == (UNSUBSCRIBED, 1)
    assert b"duplicate" in processes.run(environ, "imap", "--once").stderr
    assert (events(database), mailbox.messages()) == (UNSUBSCRIBED, [])
    with database.reading() as session:
        assert len(session.scalars(select(OutboxRow)).all()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_refused_login_exits_with_75_and_reveals_no_secret(
    database: Database, mailbox: Mailbox
) -> None:
    url = replace(mailbox, password="canary-word").url_at("localhost")
    refused = processes.run(environment(database, url), "imap", "--once")
    assert refused.returncode == 75
    output = (refused.stdout + refused.stderr).decode()
    assert "inbound email deferred: the login was refused" in output
    for secret in ("canary", mailbox.user, "localhost"):
        assert secret not in output


def test_an_unavailable_mail_server_is_retried(database: Database, environ: dict[str, str]) -> None:
    with dovecot.server() as server:
        mailbox = server.mailbox("reader")
        mailbox.put(mail(To=U))
        server.stop()
        environ = {**environ, "PREFERENCE_CENTER_IMAP_URL": mailbox.url}
        with processes.running(environ, "imap", "--every", "1") as command:
            processes.wait_for(
                lambda: "no response" in command.output, "the outage was not noticed"
            )
            server.start()
            processes.wait_for(
                lambda: events(database) == UNSUBSCRIBED, "the mailbox was not checked again"
            )
            assert "Traceback" not in command.output


def test_an_unavailable_database_exits_with_75(mailbox: Mailbox) -> None:
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{processes.free_port()}/nothing"
    environ = make.environment(DATABASE_URL=nowhere, IMAP_URL=mailbox.url)
    result = processes.run(environ, "imap", "--once")
    assert result.returncode == 75
    assert b"the database cannot be used now" in result.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_imap_exits_cleanly_when_terminated(database: Database, environ: dict[str, str]) -> None:
    with processes.running(environ, "imap") as command:
        processes.wait_for(lambda: "Checking" in command.output, "the command did not start")
        assert command.stop() == 0
        assert command.output == "Checking every 60 seconds (Ctrl+C stops)\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_missing_imap_url_is_reported(database_url: str) -> None:
    done = processes.run(make.environment(DATABASE_URL=database_url), "imap")
    assert done.returncode == 2
    assert done.stderr == b"PREFERENCE_CENTER_IMAP_URL is missing.\n"
