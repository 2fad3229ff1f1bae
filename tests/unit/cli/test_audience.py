"""`audience`: one verdict for each row."""

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


def test_an_allowed_row_has_links_and_a_denied_row_has_a_reason(
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
        ("deny", "unknown", False),
    ]


def test_audience_refuses_an_unknown_topic(database_url: str) -> None:
    result = run(database_url, "audience", *MAILING, stdin="email\nada@example.org\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: there is no topic 'weekly-news'\n"


@pytest.mark.parametrize("options", [[], ["--claim"], ["--release"]])
def test_a_mailing_cannot_have_links_that_change_nothing(
    database_url: str, options: list[str]
) -> None:
    mailing = ("--topic", "weekly-news", "--campaign", "test")
    result = run(database_url, "audience", *mailing, *options, stdin="email\nada@example.org\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is a reserved name" in result.stderr


@pytest.mark.parametrize("options", [[], ["--claim"]])
def test_a_person_on_several_rows_gets_one_email(
    database: Database, database_url: str, options: list[str]
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    people = "email,name\nada@example.org,A\nAda@Example.com,B\nADA@example.org,C\n"
    output = run_ok(database_url, "audience", *MAILING, *options, stdin=people)
    found = [(row["name"], row["verdict"], row["reason"]) for row in rows(output)]
    assert found == [("A", "allow", ""), ("B", "allow", ""), ("C", "deny", "duplicate")]


def test_the_verdicts_file_releases_only_allowed_rows(
    database: Database, database_url: str
) -> None:
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
def test_losing_the_database_ends_an_audience_check_with_a_message(
    database: Database, database_url: str, command: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "weekly-news", policy="opt_out")
    process = processes.start(
        make.environment(DATABASE_URL=database_url),
        *command.split(),
        *MAILING,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"email\n" + b"ada@example.org\n" * 1500)
    process.stdin.flush()
    process.stdout.readline()
    disconnect_database(database)
    try:
        process.stdin.write(b"ben@example.org\n" * 1500)
        process.stdin.close()
        with process.stdout, process.stderr as errors:
            rest, message = process.stdout.read(), errors.read()
        assert process.wait() == 3
    finally:
        reconnect_database(database)
    assert rest.count(b"\n") == 1000
    assert message.startswith(b"Error: the database cannot be used now")
    assert b"Traceback" not in message


def disconnect_database(database: Database) -> None:
    if database.is_sqlite:
        _execute_separately(database, "ALTER TABLE suppressions RENAME TO gone")
        return
    name = database.engine.url.database
    _execute_separately(database, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    _execute_separately(database, f"{ending}'{name}'")


def reconnect_database(database: Database) -> None:
    if database.is_sqlite:
        _execute_separately(database, "ALTER TABLE gone RENAME TO suppressions")
    else:
        name = database.engine.url.database
        _execute_separately(database, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _execute_separately(database: Database, statement: str) -> None:
    """Execute a statement over a connection that survives the outage."""
    url = (
        database.engine.url if database.is_sqlite else database.engine.url.set(database="postgres")
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
