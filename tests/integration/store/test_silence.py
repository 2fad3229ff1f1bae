"""A PostgreSQL that does not answer costs a bounded time; an uncertain COMMIT is an error."""

import _thread
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError

from preference_center.store import Database, SilentError, UnavailableError
from preference_center.store.tables import SubscriberRow
from tests.support import make, postgres, proxy
from tests.support.processes import wait_for

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
STEPS = ["ping", "statement", "commit", "rollback"]


@pytest.fixture
def server_url(own_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty database on its own server, with short deadlines."""
    monkeypatch.setattr("preference_center.store.engine._STATEMENT_SECONDS", 2)
    monkeypatch.setattr("preference_center.store.engine._LONG_STATEMENT_SECONDS", 60)
    monkeypatch.setattr("preference_center.store.postgres.CONNECT_SECONDS", 2)
    postgres.forget_subscribers(own_postgres_url)
    return own_postgres_url


@pytest.fixture
def proxied(server_url: str) -> Iterator[tuple[Database, proxy.Proxy]]:
    """Yield a database behind a proxy, with one pooled connection, and the proxy."""
    with proxy.in_front_of(server_url) as (url, between):
        database = Database(url, (make.SERVER_KEY,))
        query(database)
        yield database, between
        database.close()


def query(database: Database) -> None:
    with database.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1


def unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session)


def count(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(select(func.count()).select_from(SubscriberRow))
    engine.dispose()
    return found or 0


def waiting(url: str) -> list[int]:
    """Return the server processes that wait for the standby."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.scalars(text(WAITING)))
    engine.dispose()
    return found


def test_a_stopped_server_is_unavailable_until_it_continues(server_url: str) -> None:
    database = Database(server_url, (make.SERVER_KEY,))
    query(database)
    with postgres.stopped(server_url):
        with pytest.raises(SilentError):
            unsubscribe(database)
        with pytest.raises(SilentError):
            query(database)
    unsubscribe(database)
    assert count(server_url) == 1
    database.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_silent_connection_is_noticed_at_every_step(
    server_url: str, proxied: tuple[Database, proxy.Proxy], step: str
) -> None:
    database, between = proxied
    with ExitStack() as stack:

        def fall_silent_at(now: str) -> None:
            if now == step:
                stack.enter_context(between.silent())

        def change() -> None:
            fall_silent_at("ping")
            with database.transaction(dry_run=step == "rollback") as session:
                session.scalar(text("SELECT 1"))
                fall_silent_at("statement")
                make.unsubscribe(session)
                session.flush()
                fall_silent_at("commit")
                fall_silent_at("rollback")

        with pytest.raises(SilentError):
            change()
    query(database)
    assert count(server_url) == 0


def test_a_commit_with_a_lost_answer_fails_and_can_be_repeated(
    server_url: str, proxied: tuple[Database, proxy.Proxy]
) -> None:
    database, between = proxied

    def change() -> None:
        with database.transaction() as session:
            make.unsubscribe(session)
            event.listen(database.engine, "commit", fall_silent, once=True)

    def fall_silent(_connection: object) -> None:
        stack.enter_context(between.silent(requests=False))

    with ExitStack() as stack, pytest.raises(SilentError):
        change()
    assert count(server_url) == 1
    unsubscribe(database)
    assert count(server_url) == 1


def test_other_threads_are_refused_while_one_waits(
    proxied: tuple[Database, proxy.Proxy],
) -> None:
    database, between = proxied
    answers: list[str] = []

    def probe() -> None:
        with pytest.raises(SilentError) as error:
            query(database)
        answers.append(str(error.value))

    with between.silent():
        probe()
        before = between.accepted
        waiting_thread = threading.Thread(target=probe)
        waiting_thread.start()
        wait_for(lambda: between.accepted > before, "a second try to connect")
        for refused in (unsubscribe, query):
            with pytest.raises(SilentError, match="the database is silent"):
                refused(database)
        assert waiting_thread.is_alive()
        waiting_thread.join()
    assert ["timeout expired" in answer for answer in answers] == [True, True]
    unsubscribe(database)
    query(database)


def test_a_long_statement_may_take_longer_but_has_a_limit(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preference_center.store.engine._STATEMENT_SECONDS", 0.05)
    monkeypatch.setattr("preference_center.store.engine._LONG_STATEMENT_SECONDS", 2)
    with proxy.in_front_of(server_url) as (url, between):
        database = Database(url, (make.SERVER_KEY,), long_statements=True)
        with database.reading() as session:
            session.execute(text("SELECT pg_sleep(0.2)"))
        with between.silent(), pytest.raises(SilentError):
            query(database)
        database.close()


def test_a_commit_without_a_standby_is_neither_acknowledged_nor_cancelled(
    server_url: str,
) -> None:
    database = Database(server_url, (make.SERVER_KEY,))
    query(database)
    with postgres.missing_standby(server_url):
        with pytest.raises(SilentError):
            unsubscribe(database)
        assert len(waiting(server_url)) == 1  # a cancel request would have ended it
        query(database)
    unsubscribe(database)
    database.close()


@pytest.mark.usefixtures("sigint")
def test_an_interrupted_commit_is_never_cancelled(server_url: str) -> None:
    database = Database(server_url, (make.SERVER_KEY,), long_statements=True)
    query(database)

    def interrupt() -> None:
        wait_for(lambda: waiting(server_url), "a COMMIT that waits")
        _thread.interrupt_main()

    with postgres.missing_standby(server_url):
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            unsubscribe(database)
        thread.join()
        assert len(waiting(server_url)) == 1
    database.close()


@pytest.mark.parametrize("level", ["notice", "error"])
def test_a_commit_with_a_warning_is_not_acknowledged(server_url: str, level: str) -> None:
    postgres.execute(server_url, f"ALTER ROLE CURRENT_USER SET client_min_messages = {level}")
    database = Database(server_url, (make.SERVER_KEY,), long_statements=True)
    query(database)

    def cancel() -> None:
        wait_for(lambda: waiting(server_url), "a COMMIT that waits")
        postgres.execute(server_url, f"SELECT pg_cancel_backend({waiting(server_url)[0]})")

    with postgres.missing_standby(server_url):
        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(UnavailableError, match="canceling wait for synchronous replication"):
            unsubscribe(database)
        thread.join()
    postgres.execute(server_url, "ALTER ROLE CURRENT_USER RESET client_min_messages")
    unsubscribe(database)
    database.close()


def test_a_commit_after_a_failed_statement_is_not_acknowledged(server_url: str) -> None:
    database = Database(server_url, (make.SERVER_KEY,))

    def change() -> None:
        with database.transaction() as session:
            make.unsubscribe(session)
            session.flush()
            with suppress(DBAPIError):
                session.connection().exec_driver_sql("SELECT 1 / 0")

    with pytest.raises(UnavailableError):
        change()
    assert count(server_url) == 0
    database.close()


def test_a_notice_does_not_make_a_transaction_fail(server_url: str) -> None:
    database = Database(server_url, (make.SERVER_KEY,))
    with database.transaction() as session:
        make.unsubscribe(session)
        session.execute(text("DO $$ BEGIN RAISE WARNING 'no trouble of COMMIT'; END $$"))
    assert count(server_url) == 1
    database.close()
