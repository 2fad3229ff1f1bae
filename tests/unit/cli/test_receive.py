"""`receive`, as a mail server calls it (M11)."""

import pytest

from preference_center.store import Database
from tests.support import make, processes
from tests.unit.cli.inbox import U, events, settings_with_subscribers
from tests.unit.inbound.test_mail import mail

pytestmark = pytest.mark.integration


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    return settings_with_subscribers(database)


def test_receive_reads_a_message_from_standard_input(
    database: Database, environ: dict[str, str]
) -> None:
    done = processes.run(environ, "receive", "--recipient", U, stdin=mail())
    assert (done.returncode, done.stdout) == (0, b"unsubscribed\n")
    assert events(database) == [("unsubscribed", "weekly-news")]


def test_receive_exits_with_75_so_that_the_mail_server_retries() -> None:
    for changes in ({"DATABASE_URL": "sqlite:////nowhere/x.db"}, {"LINK_KEYS": ""}):
        environ = make.environment(**changes)
        assert processes.run(environ, "receive", stdin=mail()).returncode == 75


def test_receive_refuses_empty_input(environ: dict[str, str]) -> None:
    assert processes.run(environ, "receive").returncode == 65
