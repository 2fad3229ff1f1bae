"""Transactions, unavailable databases, and the time zones of stored times."""

import multiprocessing
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, make_url, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, StatementError

from preference_center.core import subscribers
from preference_center.store import Database, UnavailableError
from preference_center.store.tables import SubscriberRow, Utc
from tests.support import make

UPDATES = 25


def _increment(database: Database) -> None:
    for _ in range(UPDATES):
        with database.transaction() as session, make.drafted(session) as draft:
            draft.subscriber.seq += 1


def _increment_in_another_process(url: str) -> None:
    database = Database(url, (make.SERVER_KEY,))
    _increment(database)
    database.close()


def _read_count(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(SubscriberRow.seq)).one()


def _record_ada(database: Database) -> None:
    with database.transaction() as session:
        subscribers.upsert_addresses(session, {make.id_of(): ""}, make.NOW)


def test_threads_lose_no_update(database: Database) -> None:
    _record_ada(database)
    threads = [threading.Thread(target=_increment, args=(database,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _read_count(database) == 4 * UPDATES


@pytest.mark.integration
def test_processes_lose_no_update(database: Database, database_url: str) -> None:
    _record_ada(database)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_increment_in_another_process, [database_url] * 2)
    assert _read_count(database) == 2 * UPDATES


def test_reading_sees_a_consistent_snapshot(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session)
    with database.reading() as reader:
        before = reader.scalars(select(SubscriberRow.seq)).one()
        with database.transaction() as session:
            make.unsubscribe(session, slug="offers")
        reader.expire_all()
        assert reader.scalars(select(SubscriberRow.seq)).one() == before


def test_a_dry_run_keeps_nothing(database: Database) -> None:
    with database.transaction(dry_run=True) as session:
        make.unsubscribe(session)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(SubscriberRow)) == 0


def test_a_reading_session_cannot_write_on_postgresql(database: Database) -> None:
    if database.is_sqlite:
        return  # reading on SQLite is a deferred transaction, which may write
    with pytest.raises(UnavailableError), database.reading() as session:
        make.unsubscribe(session)


def _missing_database(tmp_path: Path, engine: str) -> Database:
    urls = {
        "sqlite": f"sqlite:///{tmp_path}/no/such/folder.db",
        "postgresql": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    }
    return Database(urls[engine], (make.SERVER_KEY,))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_missing_database_is_unavailable(tmp_path: Path, engine: str) -> None:
    missing = _missing_database(tmp_path, engine)
    with pytest.raises(UnavailableError), missing.transaction() as session:
        make.unsubscribe(session)
    with pytest.raises(UnavailableError), missing.reading() as session:
        subscribers.find(session, make.id_of())


def test_a_file_that_is_not_a_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.write_bytes(b"not a database, " * 500)
    database = Database(f"sqlite:///{path}", (make.SERVER_KEY,))
    with pytest.raises(UnavailableError), database.transaction() as session:
        make.unsubscribe(session)


def test_a_file_locked_by_another_program_is_unavailable(
    sqlite_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "test.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", (make.SERVER_KEY,))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError), database.transaction() as session:
        make.unsubscribe(session)
    other.close()
    database.close()


def test_a_terminated_connection_is_unavailable_and_the_next_one_works(
    postgres_url: str,
) -> None:
    database = Database(postgres_url, (make.SERVER_KEY,))
    admin = create_engine(make_url(postgres_url), isolation_level="AUTOCOMMIT")

    def terminate() -> None:
        with database.transaction() as session:
            backend = session.scalar(text("SELECT pg_backend_pid()"))
            with admin.connect() as connection:
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
            make.unsubscribe(session)

    with pytest.raises(UnavailableError):
        terminate()
    with database.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1
    database.close()
    admin.dispose()


def test_an_exhausted_connection_pool_is_unavailable(postgres_url: str) -> None:
    database = Database(postgres_url, (make.SERVER_KEY,), connections=1)
    with database.reading() as first:
        first.scalar(text("SELECT 1"))
        with pytest.raises(UnavailableError), database.reading() as second:
            second.scalar(text("SELECT 1"))
    database.close()


def test_a_statement_that_takes_too_long_is_cancelled(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preference_center.store.engine._STATEMENT_SECONDS", 0.05)
    database = Database(postgres_url, (make.SERVER_KEY,))
    with pytest.raises(UnavailableError), database.transaction() as session:
        session.execute(text("SELECT pg_sleep(5)"))
    database.close()


def test_an_error_message_contains_no_address(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            make.subscriber(session, "canary@example.org")
            bad = {
                "subscriber_id": make.id_of("canary@example.org"),
                "email": "canary@x.org",
            }
            session.execute(insert(SubscriberRow).values(**bad))

    with pytest.raises(DBAPIError) as error:
        fail()
    assert "hidden" in str(error.value)
    assert "canary" not in str(error.value).partition("DETAIL")[0]


@pytest.mark.parametrize(
    "at",
    [
        make.NOW,
        datetime(2026, 7, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_a_stored_time_is_read_back_in_utc(database: Database, at: datetime) -> None:
    with database.transaction() as session:
        make.unsubscribe(session)
        session.get_one(SubscriberRow, make.id_of()).erased_at = at
    with database.reading() as session:
        found = session.get_one(SubscriberRow, make.id_of()).erased_at
        assert found == at
        assert found is not None
        assert found.tzinfo == UTC


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(StatementError, match="needs its zone"), database.reading() as session:
        session.execute(select(SubscriberRow).where(SubscriberRow.created_at == naive))


def test_equal_times_in_different_zones_are_stored_alike_on_sqlite() -> None:
    bind = Utc().dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())
    assert bind is not None
    east = make.NOW.astimezone(timezone(timedelta(hours=9)))
    assert bind(east) == bind(make.NOW)


def test_a_second_writer_of_the_process_is_refused_after_a_timeout(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preference_center.store.engine._BUSY_SECONDS", 0.05)
    path = tmp_path / "test.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", (make.SERVER_KEY,))

    def write() -> None:
        with database.transaction() as session:
            make.unsubscribe(session)

    def refused() -> None:
        with pytest.raises(UnavailableError, match="busy"):
            write()
        refusals.append(True)

    refusals: list[bool] = []
    with database.transaction() as session:
        make.unsubscribe(session)
        other = threading.Thread(target=refused)
        other.start()
        other.join(30)
    assert refusals == [True]
    write()
    database.close()
