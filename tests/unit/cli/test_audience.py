"""`audience`: a verdict for each row."""

import csv
import subprocess

import pytest
from sqlalchemy import create_engine, text

from preference_center.store import Database
from tests.support import make, processes
from tests.support.command import run, run_ok

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")


def rows(text_of_csv: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text_of_csv.splitlines()))


def test_an_audience_allows_with_links_and_denies_with_why(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.subscriber(session, "ben@example.org")
        make.unsubscribe(session, "ben@example.org")
    people = "email\nada@example.org\nben@example.org\ncleo@example.org\n"
    found = rows(run_ok(database_url, "audience", *MAILING, stdin=people))
    verdicts = [(row["verdict"], row["reason"], bool(row["list_unsubscribe"])) for row in found]
    assert verdicts == [
        ("allow", "", True),
        ("deny", "unsubscribed", False),
        (
            "deny",
            "unknown",
            False,
        ),
    ]


def test_an_unknown_topic_has_no_audience(database_url: str) -> None:
    result = run(database_url, "audience", *MAILING, stdin="email\nada@example.org\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: there is no topic 'weekly-news'\n"


@pytest.mark.parametrize("options", [[], ["--claim"]])
def test_a_person_on_several_rows_gets_one_email(
    database: Database, database_url: str, options: list[str]
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    people = "email,name\nada@example.org,A\nAda@Example.com,B\nADA@example.org,C\n"
    said = run_ok(database_url, "audience", *MAILING, *options, stdin=people)
    found = [(row["name"], row["verdict"], row["reason"]) for row in rows(said)]
    assert found == [("A", "allow", ""), ("B", "allow", ""), ("C", "deny", "duplicate")]


def test_the_verdicts_release_those_who_were_allowed(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.subscriber(session, "ben@example.org")
        make.unsubscribe(session, "ben@example.org")
    people = "email\nada@example.org\nben@example.org\nada@example.org\n"
    verdicts = run_ok(database_url, "audience", *MAILING, "--claim", stdin=people)
    released = run(database_url, "audience", *MAILING, "--release", stdin=verdicts)
    assert (released.exit_code, released.stdout) == (0, "")
    assert "Claims released: 1." in released.stderr


@pytest.mark.parametrize("command", ["audience", "audience --claim"])
def test_a_database_that_goes_away_ends_an_audience_with_a_sentence(
    database: Database, database_url: str, command: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    asking = processes.start(
        make.environment(DATABASE_URL=database_url),
        *command.split(),
        *MAILING,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert asking.stdin is not None
    assert asking.stdout is not None
    assert asking.stderr is not None
    asking.stdin.write(b"email\n" + b"ada@example.org\n" * 1500)
    asking.stdin.flush()
    asking.stdout.readline()
    database_gone(database)
    try:
        asking.stdin.write(b"ben@example.org\n" * 1500)
        asking.stdin.close()
        with asking.stdout, asking.stderr as errors:
            rest, said = asking.stdout.read(), errors.read()
        assert asking.wait() == 3
    finally:
        database_back(database)
    assert rest.count(b"\n") == 1000
    assert said.startswith(b"Error: the database cannot be used now")
    assert b"Traceback" not in said


def database_gone(database: Database) -> None:
    if database.is_sqlite:
        _elsewhere(database, "ALTER TABLE suppressions RENAME TO gone")
        return
    name = database.engine.url.database
    _elsewhere(database, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    _elsewhere(database, f"{ending}'{name}'")


def database_back(database: Database) -> None:
    if database.is_sqlite:
        _elsewhere(database, "ALTER TABLE gone RENAME TO suppressions")
    else:
        name = database.engine.url.database
        _elsewhere(database, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _elsewhere(database: Database, statement: str) -> None:
    """Execute a statement over a connection that stays when the database goes away."""
    url = (
        database.engine.url if database.is_sqlite else database.engine.url.set(database="postgres")
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
