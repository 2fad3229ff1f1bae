"""`campaigns`: mailings are recorded, replaced and listed."""

import pytest

from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok


@pytest.fixture(autouse=True)
def _topics(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)


def test_a_mailing_is_recorded_replaced_and_listed(database_url: str) -> None:
    options = ("--topic", "weekly-news", "--date", "2026-11-20", "--sender", "Newsletter tool")
    run_ok(database_url, "campaigns", "set", "2026-47", *options)
    run_ok(database_url, "campaigns", "set", "2026-47", *options, "--sent", "1200")
    run_ok(
        database_url,
        "campaigns",
        "set",
        "2026-46",
        "--topic",
        "weekly-news",
        "--date",
        "2026-11-13",
    )
    assert run_ok(database_url, "campaigns", "list").splitlines() == [
        "2026-11-20  weekly-news  2026-47  1,200  Newsletter tool",
        "2026-11-13  weekly-news  2026-46  -",
    ]
    assert run_ok(database_url, "campaigns", "list", "--topic", "offers") == ""


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("47", ("--topic", "nowhere", "--date", "2026-11-20"), "no topic"),
        ("receipt", ("--topic", "weekly-news", "--date", "2026-11-20"), "reserved"),
        ("47", ("--topic", "weekly-news", "--date", "tomorrow"), "not a time"),
        ("47", ("--topic", "weekly-news", "--date", "2026-11-20", "--sent", "-1"), "sent"),
        ("47", ("--topic", "weekly-news", "--date", "2026-11-20", "--sender", "a\nb"), "sender"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    database_url: str, name: str, options: tuple[str, ...], message: str
) -> None:
    result = run(database_url, "campaigns", "set", name, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert run_ok(database_url, "campaigns", "list") == ""
