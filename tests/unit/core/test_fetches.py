"""How old the oldest unsubscribe is that no sender has fetched."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from preference_center.core import fetches, topics
from preference_center.core.fetches import EVERYTHING, MARGIN
from preference_center.core.vocab import FetchKind, Source
from preference_center.store import Database
from tests.support import make

HOUR = timedelta(hours=1)
LEFT = make.NOW
AFTER = LEFT + MARGIN + timedelta(seconds=1)
AUDIENCE, PREFERENCES, SUPPRESSIONS = FetchKind


@pytest.fixture(autouse=True)
def topics_and_people(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.subscriber(session, "ben@example.org", "weekly-news", "offers")


def leave(database: Database, slug: str | None = "weekly-news", **changes: Any) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, slug=slug, **changes)


def fetch(database: Database, kind: FetchKind, topic: str = EVERYTHING, **times: Any) -> None:
    values: dict[str, Any] = {"began_at": AFTER, **times}
    with database.transaction() as session:
        fetches.record(session, kind, topic, **values)


def oldest(database: Database) -> object:
    with database.reading() as session:
        return fetches.oldest_unfetched(session)


def test_without_an_unsubscribe_there_is_none(database: Database) -> None:
    assert oldest(database) is None


def test_the_oldest_unsubscribe_counts(database: Database) -> None:
    leave(database)
    leave(database, email="ben@example.org", at=LEFT + HOUR)
    assert oldest(database) == LEFT


def test_topics_that_one_statement_cannot_hold_count(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetches, "_AT_ONCE", 1)
    leave(database, "offers", at=LEFT + HOUR)
    leave(database)
    assert oldest(database) == LEFT
    fetch(database, AUDIENCE, "weekly-news")
    assert oldest(database) == LEFT + HOUR


@pytest.mark.parametrize("source", [Source.IMPORT, Source.BOUNCE])
def test_what_a_sender_has_stated_does_not_count(database: Database, source: Source) -> None:
    leave(database, source=source)
    assert oldest(database) is None


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        (AUDIENCE, "weekly-news"),
        (PREFERENCES, EVERYTHING),
        (PREFERENCES, "weekly-news"),
        (SUPPRESSIONS, "weekly-news"),
    ],
)
def test_an_unsubscribe_from_a_topic_is_fetched(
    database: Database, kind: FetchKind, topic: str
) -> None:
    leave(database)
    fetch(database, kind, topic)
    assert oldest(database) is None
    leave(database, email="ben@example.org", at=LEFT + HOUR)
    assert oldest(database) == LEFT + HOUR


@pytest.mark.parametrize(
    ("kind", "topic"), [(AUDIENCE, "offers"), (PREFERENCES, "offers"), (SUPPRESSIONS, EVERYTHING)]
)
def test_a_fetch_of_something_else_does_not_count(
    database: Database, kind: FetchKind, topic: str
) -> None:
    leave(database)
    fetch(database, kind, topic)
    assert oldest(database) == LEFT


def test_an_unsubscribe_from_everything_is_fetched_with_the_suppressions(
    database: Database,
) -> None:
    leave(database, None)
    fetch(database, PREFERENCES)
    assert oldest(database) == LEFT
    fetch(database, SUPPRESSIONS)
    assert oldest(database) is None


def test_an_unsubscribe_from_everything_is_fetched_when_every_topic_was_asked_for(
    database: Database,
) -> None:
    leave(database, None)
    fetch(database, AUDIENCE, "weekly-news")
    assert oldest(database) == LEFT
    fetch(database, AUDIENCE, "offers")
    assert oldest(database) is None


def test_an_archived_topic_need_not_be_asked_for(database: Database) -> None:
    leave(database, "offers")
    with database.transaction() as session:
        topics.archive(topics.get(session, "offers"), make.NOW)
    assert oldest(database) is None


def test_a_fetch_just_after_an_unsubscribe_may_have_missed_it(database: Database) -> None:
    leave(database)
    fetch(database, AUDIENCE, "weekly-news", began_at=LEFT + MARGIN / 2)
    assert oldest(database) == LEFT


def test_an_export_since_a_time_counts_only_without_a_gap(database: Database) -> None:
    leave(database)
    fetch(database, PREFERENCES, since=LEFT - HOUR)
    assert oldest(database) == LEFT
    fetch(database, PREFERENCES, began_at=LEFT - HOUR)
    fetch(database, PREFERENCES, since=LEFT - HOUR)
    assert oldest(database) == LEFT
    fetch(database, PREFERENCES, since=LEFT - HOUR - MARGIN)
    assert oldest(database) is None


def test_an_export_until_a_time_covers_no_more(database: Database) -> None:
    leave(database)
    fetch(database, PREFERENCES, until=LEFT)
    assert oldest(database) == LEFT


def test_an_earlier_fetch_that_ends_later_changes_nothing(database: Database) -> None:
    leave(database)
    fetch(database, PREFERENCES)
    fetch(database, PREFERENCES, began_at=LEFT - HOUR)
    assert oldest(database) is None


def test_the_oldest_is_read_from_an_index(database: Database) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM ledger" in statement:
            statements.append((statement, parameters))

    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.reading() as session:
        event.listen(database.engine, "before_cursor_execute", note)
        fetches.oldest_unfetched(session)
        event.remove(database.engine, "before_cursor_execute", note)
        if not database.is_sqlite:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            session.execute(text("SET LOCAL enable_sort = off"))
        plans = [
            str(session.connection().exec_driver_sql(f"{explain} {statement}", parameters).all())
            for statement, parameters in statements
        ]
    assert [each.count("ix_ledger_unsubscribed") for each in plans] == [1, 2], "all, two topics"
    for plan in plans:
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
