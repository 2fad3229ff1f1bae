"""Statements that are sent at once: their rows, and what happens when one of them fails."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from preference_center.core.state import Subscriber
from preference_center.store import Database, UnavailableError, sets
from preference_center.store.pipelines import fetch_all, pipeline
from preference_center.store.tables import SubscriberRow
from tests.support import make

ADA, BEN = (
    Subscriber.new(make.id_of(email), make.NOW).values()
    for email in ("ada@example.org", "ben@example.org")
)

LOSE_CONNECTION = ("SELECT pg_terminate_backend(pg_backend_pid())", ())


def count(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(func.count()).select_from(SubscriberRow)).one()


def test_each_statement_returns_its_rows(database: Database) -> None:
    statements = [("SELECT 1", ()), ("SELECT 2 UNION SELECT 3", ()), ("SELECT 4 WHERE 1 = 0", ())]
    with database.reading() as session:
        found = fetch_all(session.connection(), statements)
    assert [sorted(rows) for rows in found] == [[(1,)], [(2,), (3,)], []]


def test_statements_after_a_pipeline_see_what_it_has_written(database: Database) -> None:
    with database.transaction() as session:
        with pipeline(session.connection()):
            sets.insert(session, SubscriberRow, [ADA])
            sets.insert(session, SubscriberRow, [BEN])
        assert sets.existing(session, SubscriberRow, [ADA[0], BEN[0]]) == {ADA[0], BEN[0]}
    assert count(database) == 2


def write_twice(database: Database) -> None:
    with database.transaction() as session, pipeline(session.connection()):
        sets.insert(session, SubscriberRow, [ADA])
        sets.insert(session, SubscriberRow, [ADA])
        sets.insert(session, SubscriberRow, [BEN])


def test_an_error_undoes_the_whole_transaction(database: Database) -> None:
    with pytest.raises(IntegrityError):
        write_twice(database)
    assert count(database) == 0


def read_and_lose_connection(database: Database) -> None:
    with database.reading() as session:
        fetch_all(session.connection(), [LOSE_CONNECTION])


def write_and_lose_connection(database: Database) -> None:
    with database.transaction() as session, pipeline(session.connection()):
        sets.insert(session, SubscriberRow, [ADA])
        session.connection().exec_driver_sql(*LOSE_CONNECTION)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("lose", [read_and_lose_connection, write_and_lose_connection])
def test_a_lost_connection_is_replaced(
    database: Database, lose: Callable[[Database], None]
) -> None:
    with pytest.raises(UnavailableError):
        lose(database)
    assert count(database) == 0
