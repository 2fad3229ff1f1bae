"""`quarantine`: messages that could not be processed (M13)."""

import pytest

from preference_center.store import Database
from tests.support import processes
from tests.unit.cli.inbox import settings_with_subscribers
from tests.unit.inbound.test_mail import mail

pytestmark = pytest.mark.integration


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    return settings_with_subscribers(database)


def test_quarantined_messages_can_be_listed_shown_and_dropped(environ: dict[str, str]) -> None:
    raw = mail("please help me")
    assert b"quarantine is empty" in processes.run(environ, "quarantine", "list").stdout
    assert processes.run(environ, "receive", stdin=raw).stdout == b"quarantined: not understood\n"
    digest = processes.run(environ, "quarantine", "list").stdout.split()[0].decode()
    assert processes.run(environ, "quarantine", "show", digest).stdout == raw
    assert processes.run(environ, "quarantine", "drop", "").returncode == 2
    assert processes.run(environ, "quarantine", "drop", digest).returncode == 0
    assert b"quarantine is empty" in processes.run(environ, "quarantine", "list").stdout
    assert processes.run(environ, "quarantine", "show", digest).returncode == 2
