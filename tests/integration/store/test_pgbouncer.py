"""PgBouncer in transaction mode: each transaction may use another connection to the server."""

import csv
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from preference_center.store import Database, SilentError, UnavailableError
from preference_center.store.tables import Base
from tests.support import make, one_clicks, pgbouncer, postgres, processes, smtp
from tests.support.pgbouncer import CONNECTIONS
from tests.support.site import link
from tests.support.wire import FORM, head, length, wire

PEOPLE = [f"person-{n}@example.org" for n in range(300)]
CSV = "\n".join(["email", *PEOPLE]).encode()
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def server_url(own_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty database on its own server, with short deadlines."""
    monkeypatch.setattr("preference_center.store.engine._STATEMENT_SECONDS", 2)
    names = {table.name for table in Base.metadata.sorted_tables} - {"key_checks"}
    postgres.execute(own_postgres_url, f"TRUNCATE {', '.join(names)}")
    return own_postgres_url


@pytest.fixture
def pooled_url(server_url: str) -> Iterator[str]:
    """Yield the URL of a PgBouncer in front of that server."""
    with pgbouncer.in_front_of(server_url) as pooler:
        yield pooler.url


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Database]:
    database = make.database(pooled_url, connections=8)
    yield database
    database.close()


def command(url: str, *arguments: str, stdin: bytes = b"") -> str:
    result = processes.run(make.environment(DATABASE_URL=url), *arguments, stdin=stdin)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def parameter(database: Database, name: str, *, reading: bool = False) -> str:
    """Return the value of a server parameter, as a transaction of `database` sees it."""
    with database.reading() if reading else database.transaction() as session:
        return str(session.scalar(text(f"SHOW {name}")))


def count(url: str, condition: str) -> int:
    (row,) = postgres.query(url, f"SELECT count(*) FROM {condition}")
    return int(row[0])


def test_several_servers_share_a_pooler(server_url: str, pooled_url: str) -> None:
    command(pooled_url, "upgrade")
    command(pooled_url, "topics", "add", "weekly-news", "--name", "Weekly news")
    settings = make.environment(DATABASE_URL=pooled_url)
    with processes.serving(settings) as first, processes.serving(settings) as second:
        with one_clicks.posted_to(first, second) as running:
            running.wait_for(200, 50, first)
            running.wait_for(200, 50, second)
        assert set(running.statuses()) == {200}
        page = link(email="ada@example.org")
        with wire(first) as connection:
            assert b"Weekly news" in connection.request(head(page, method=b"GET")).body
            form = head(f"{page}/leave", FORM, length(b"scope=all"))
            left = connection.request(form, b"scope=all")
            receipt = connection.request(head(left.headers["location"], method=b"GET"))
        assert (left.status, receipt.status) == (303, 200)
    running.assert_recorded(server_url)
    command(pooled_url, "verify-ledger")


def test_two_mailings_of_one_campaign_claim_each_person_once(
    server_url: str, pooled_url: str
) -> None:
    arguments = ("--topic", "weekly-news", "--status", "subscribed", "--create-topics")
    command(pooled_url, "import", "-", *arguments, stdin=CSV)
    claim = ("audience", "--claim", "--topic", "weekly-news", "--campaign")
    with ThreadPoolExecutor(2) as threads:
        campaigns = ("2026-47", "2026-47")
        outputs = threads.map(lambda each: command(pooled_url, *claim, each, stdin=CSV), campaigns)
        verdicts = [[row["verdict"] for row in csv.DictReader(io.StringIO(o))] for o in outputs]
    assert verdicts == [["allow"] * len(PEOPLE)] * 2
    assert count(server_url, "claims") == len(PEOPLE)


def test_a_worker_sends_through_a_pooler(server_url: str, pooled_url: str) -> None:
    with smtp.server() as mail_server:
        settings = make.environment(
            DATABASE_URL=pooled_url,
            SMTP_URL=mail_server.url,
            MAIL_FROM="letters@example.org",
            CONFIRMATION_DELAY_SECONDS="0",
        )
        database = make.database(server_url)
        with database.transaction() as session:
            for email in PEOPLE[:10]:
                make.subscriber(session, email)
        database.close()
        with (
            processes.serving(settings) as base_url,
            processes.working(settings),
            processes.working(settings),
        ):
            for email in PEOPLE[:10]:
                one_clicks.post_for(base_url, email)
            sent = "outbox WHERE state = 'sent'"
            processes.wait_for(lambda: count(server_url, sent) == 10, "ten confirmations")
        assert sorted(each.recipients[0] for each in mail_server.emails) == sorted(PEOPLE[:10])


@pytest.mark.parametrize("reading", [False, True])
def test_each_transaction_sets_its_own_limits(
    pooled: Database, pooled_url: str, *, reading: bool
) -> None:
    command_database = make.database(pooled_url, long_statements=True)
    for _ in range(2 * CONNECTIONS):
        assert parameter(pooled, "statement_timeout", reading=reading) == "2s"
        assert parameter(command_database, "statement_timeout", reading=reading) == "1h"
        assert parameter(pooled, "timezone", reading=reading) == "UTC"
    assert parameter(pooled, "transaction_isolation", reading=True) == "repeatable read"
    command_database.close()


def test_the_server_ends_a_long_statement(pooled: Database) -> None:
    with pytest.raises(UnavailableError, match="statement timeout"), pooled.reading() as session:
        session.execute(text("SELECT pg_sleep(10)"))


def test_concurrent_changes_of_one_person_wait_for_each_other(
    server_url: str, pooled: Database, pooled_url: str
) -> None:
    other = make.database(pooled_url, connections=8)

    def unsubscribe(number: int) -> None:
        with (pooled, other)[number % 2].transaction() as session:
            make.unsubscribe(session)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(unsubscribe, range(64)))
    other.close()
    assert count(server_url, "ledger WHERE event = 'unsubscribed'") == 1
    assert count(server_url, "ledger") == 1


def test_a_commit_with_a_warning_is_not_acknowledged(server_url: str) -> None:
    postgres.execute(server_url, "ALTER ROLE CURRENT_USER SET client_min_messages = error")

    def cancel() -> None:
        processes.wait_for(lambda: postgres.query(server_url, WAITING), "a COMMIT that waits")
        postgres.execute(server_url, f"SELECT pg_cancel_backend(({WAITING}))")

    with pgbouncer.in_front_of(server_url) as pooler, postgres.missing_standby(server_url):
        database = make.database(pooler.url, long_statements=True)
        thread = threading.Thread(target=cancel)
        thread.start()
        with (
            pytest.raises(UnavailableError, match="canceling wait for synchronous replication"),
            database.transaction() as session,
        ):
            make.unsubscribe(session)
        thread.join()
        database.close()
    postgres.execute(server_url, "ALTER ROLE CURRENT_USER RESET client_min_messages")


def test_a_commit_without_a_standby_is_neither_acknowledged_nor_cancelled(
    server_url: str, pooled: Database
) -> None:
    parameter(pooled, "timezone")
    with postgres.missing_standby(server_url):
        with pytest.raises(SilentError), pooled.transaction() as session:
            make.unsubscribe(session)
        assert len(postgres.query(server_url, WAITING)) == 1
    with pooled.transaction() as session:
        make.unsubscribe(session)


def test_a_stopped_server_is_unavailable_until_it_continues(
    server_url: str, pooled: Database
) -> None:
    parameter(pooled, "timezone")
    with postgres.stopped(server_url):
        for _ in range(2):
            with pytest.raises(SilentError), pooled.transaction() as session:
                make.unsubscribe(session)
    with pooled.transaction() as session:
        make.unsubscribe(session)
    assert count(server_url, "ledger") == 1
