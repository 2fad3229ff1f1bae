"""`suppressions remove`, after a wave of false bounces (M13), and `suppressions lift`."""

from datetime import timedelta

from preference_center.core import ledger, subscribers
from preference_center.core.vocab import Scope
from preference_center.store import Database
from tests.support import make
from tests.support.command import run, run_ok

ARGUMENTS = ("suppressions", "remove", "--source", "bounce", "--domain", "example.org")
SINCE = ("--since", "2026-11-22")


def add_bounced(database: Database, *emails: str) -> None:
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
            make.unsubscribe(session, email, None, Scope.ADDRESS, source="bounce")


def suppressions(database: Database, email: str) -> set[str]:
    with database.reading() as session:
        subscriber = subscribers.find(session, make.id_of(email))
        assert subscriber is not None
        return set(subscriber.suppressions)


def test_suppressions_of_one_domain_are_removed(database: Database, database_url: str) -> None:
    add_bounced(database, "ada@example.org", "ben@example.org", "cem@example.net")
    assert run_ok(database_url, *ARGUMENTS, *SINCE) == "Suppressions removed: 2\n"
    assert suppressions(database, "ada@example.org") == set()
    assert suppressions(database, "cem@example.net") == {"address"}


def test_a_dry_run_counts_suppressions_and_removes_none(
    database: Database, database_url: str
) -> None:
    add_bounced(database, "ada@example.org")
    output = run_ok(database_url, *ARGUMENTS, *SINCE, "--dry-run")
    assert output == "Suppressions that would be removed: 1\n"
    assert suppressions(database, "ada@example.org") == {"address"}


def test_each_suppression_of_a_subscriber_is_counted(database: Database, database_url: str) -> None:
    add_bounced(database, "ada@example.org")
    with database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", None, Scope.ALL, source="bounce")
    dry = run_ok(database_url, *ARGUMENTS, *SINCE, "--dry-run")
    assert dry == "Suppressions that would be removed: 2\n"
    assert run_ok(database_url, *ARGUMENTS, *SINCE) == "Suppressions removed: 2\n"


def test_suppressions_after_until_are_kept(database: Database, database_url: str) -> None:
    add_bounced(database, "ada@example.org")
    until = (make.NOW - timedelta(minutes=5)).isoformat()
    run_ok(database_url, *ARGUMENTS, *SINCE, "--until", until)
    assert suppressions(database, "ada@example.org") == {"address"}


def test_only_bounces_within_a_period_can_be_removed(database_url: str) -> None:
    arguments = [*ARGUMENTS[:3], "complaint", *ARGUMENTS[4:]]
    assert run(database_url, *arguments, *SINCE).exit_code == 2
    assert run(database_url, *ARGUMENTS).exit_code == 2, "a period is required"


LIFT = ("suppressions", "lift", "Ada <ada@example.org>", "--request", "phone, Ms Smith")


def test_a_persons_own_stop_is_lifted_on_request(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", None, Scope.ADDRESS)
    assert run_ok(database_url, *LIFT) == "Lifted. The person can sign up again.\n"
    assert suppressions(database, "ada@example.org") == {"all"}
    with database.reading() as session:
        rows = ledger.load(session, make.id_of("ada@example.org"), 1)
    assert [(each.event, each.stated_source) for each in rows[1:]] == [
        ("unsubscribed", "request: phone, Ms Smith"),
        ("lifted", "request: phone, Ms Smith"),
    ]


def test_nothing_else_is_lifted(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", None, Scope.ADDRESS, source="api")
    result = run(database_url, *LIFT)
    assert result.exit_code == 1
    assert "This address has not asked to never be emailed." in result.output
    assert suppressions(database, "ada@example.org") == {"address"}


def test_lifting_needs_an_address_and_a_request(database_url: str) -> None:
    assert run(database_url, "suppressions", "lift", "ada", "--request", "x").exit_code == 2
    assert run(database_url, *LIFT[:3]).exit_code == 2
