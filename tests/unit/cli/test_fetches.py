"""Audience checks and exports record that they have fetched unsubscribes."""

from datetime import timedelta
from pathlib import Path

import pytest

from preference_center.core import fetches
from preference_center.store import Database
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support.command import run, run_ok

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")


@pytest.fixture(autouse=True)
def one_unsubscribe(database: Database) -> None:
    left_at = utc_now() - timedelta(hours=1)
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, at=left_at)


def is_fetched(database: Database) -> bool:
    with database.reading() as session:
        return fetches.oldest_unfetched(session) is None


@pytest.mark.parametrize("claim", [[], ["--claim"]])
def test_an_audience_check_is_a_fetch(
    database: Database, database_url: str, claim: list[str]
) -> None:
    assert not is_fetched(database)
    run_ok(database_url, "audience", *MAILING, *claim, stdin="email\nben@example.org\n")
    assert is_fetched(database)


def test_an_audience_check_without_people_is_no_fetch(
    database: Database, database_url: str
) -> None:
    run_ok(database_url, "audience", *MAILING, stdin="email\n")
    assert not is_fetched(database)


def test_a_release_is_no_fetch(database: Database, database_url: str) -> None:
    run_ok(database_url, "audience", *MAILING, "--release", stdin="email\nada@example.org\n")
    assert not is_fetched(database)


@pytest.mark.parametrize(
    ("arguments", "fetched"),
    [
        ("preferences", True),
        ("preferences --topic weekly-news", True),
        ("suppressions --topic weekly-news", True),
        ("suppressions", False),
        ("preferences --changed-since 2030-01-01", False),
        ("preferences --status unsubscribed", False),
        ("preferences --frequency every", False),
        ("preferences --locale de", False),
        ("suppressions --topic weekly-news --status unsubscribed", False),
        ("suppressions --topic weekly-news --locale de", False),
        ("ledger", False),
        ("reasons", False),
    ],
)
def test_an_export_of_the_state_is_a_fetch(
    database: Database, database_url: str, arguments: str, *, fetched: bool
) -> None:
    run_ok(database_url, "export", *arguments.split())
    assert is_fetched(database) is fetched


def test_an_export_of_suppressions_for_a_topic_contains_those_from_everything(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, slug=None, at=utc_now() - timedelta(hours=1))
    run_ok(database_url, "export", "preferences")
    assert not is_fetched(database)
    run_ok(database_url, "export", "suppressions", "--topic", "weekly-news")
    assert is_fetched(database)


@pytest.mark.parametrize("left_out", [False, True])
def test_the_files_of_another_system_are_a_fetch_if_nobody_is_left_out(
    database: Database, database_url: str, tmp_path: Path, *, left_out: bool
) -> None:
    if left_out:
        with database.transaction() as session:
            make.unsubscribe(session, "stranger@example.org", None)
    arguments = ("--topic", "weekly-news", "--for", "brevo", "-o", str(tmp_path / "out"))
    run_ok(database_url, "export", "suppressions", *arguments)
    assert is_fetched(database) is not left_out


def test_an_export_that_fails_is_no_fetch(database: Database, database_url: str) -> None:
    assert run(database_url, "export", "preferences", "-o", "/no/such/folder/x").exit_code != 0
    assert not is_fetched(database)
