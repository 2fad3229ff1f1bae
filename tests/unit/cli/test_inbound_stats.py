"""`inbound-stats`: inbound messages by their effect (M13)."""

import pytest

from preference_center.store import Database
from tests.support import processes
from tests.unit.cli.inbox import U, settings_with_subscribers
from tests.unit.inbound.test_mail import mail

pytestmark = pytest.mark.integration


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    return settings_with_subscribers(database)


def test_inbound_messages_are_counted_by_effect(environ: dict[str, str]) -> None:
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
