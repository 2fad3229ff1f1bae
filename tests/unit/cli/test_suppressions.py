"""`suppressions remove`, as an operator calls it after a mail system's bad day (M13)."""

from datetime import timedelta

from preference_center.core import subscribers
from preference_center.core.vocab import Scope
from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok

ARGUMENTS = ("suppressions", "remove", "--source", "bounce", "--domain", "example.org")
SINCE = ("--since", "2026-11-22")


def bounced(database: Database, *emails: str) -> None:
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
            make.unsubscribe(session, email, None, Scope.ADDRESS, source="bounce")


def stops(database: Database, email: str) -> set[str]:
    with database.reading() as session:
        person = subscribers.find(session, make.id_of(email))
        assert person is not None
        return set(person.suppressions)


def test_the_stops_of_one_domain_are_lifted(database: Database, database_url: str) -> None:
    bounced(database, "ada@example.org", "ben@example.org", "cem@example.net")
    assert run_ok(database_url, *ARGUMENTS, *SINCE) == "Suppressions removed: 2\n"
    assert stops(database, "ada@example.org") == set()
    assert stops(database, "cem@example.net") == {"address"}


def test_a_dry_run_counts_and_lifts_nothing(database: Database, database_url: str) -> None:
    bounced(database, "ada@example.org")
    said = run_ok(database_url, *ARGUMENTS, *SINCE, "--dry-run")
    assert said == "Suppressions that would be removed: 1\n"
    assert stops(database, "ada@example.org") == {"address"}


def test_somebody_with_stops_of_both_kinds_counts_once_for_each(
    database: Database, database_url: str
) -> None:
    bounced(database, "ada@example.org")
    with database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", None, Scope.ALL, source="bounce")
    dry = run_ok(database_url, *ARGUMENTS, *SINCE, "--dry-run")
    assert dry == "Suppressions that would be removed: 2\n"
    assert run_ok(database_url, *ARGUMENTS, *SINCE) == "Suppressions removed: 2\n"


def test_until_ends_it(database: Database, database_url: str) -> None:
    bounced(database, "ada@example.org")
    until = (make.NOW - timedelta(minutes=5)).isoformat()
    run_ok(database_url, *ARGUMENTS, *SINCE, "--until", until)
    assert stops(database, "ada@example.org") == {"address"}


def test_what_people_said_is_not_for_lifting(database_url: str) -> None:
    arguments = [*ARGUMENTS[:3], "complaint", *ARGUMENTS[4:]]
    assert run(database_url, *arguments, *SINCE).exit_code == 2
    assert run(database_url, *ARGUMENTS).exit_code == 2, "a stretch of time is asked for"
