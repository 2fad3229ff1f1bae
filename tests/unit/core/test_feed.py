"""The feed: positions without gaps, in an order that suits each subscriber, kept for 30 days."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from preference_center.core import erasure, feed
from preference_center.core.api_vocab import EventName
from preference_center.core.change import ADDRESS, ALL, Target
from preference_center.core.errors import CursorExpiredError
from preference_center.core.event_names import name_of
from preference_center.core.feed import FeedEvent
from preference_center.core.vocab import Event, Frequency, Scope, Source, Status
from preference_center.store import Database
from preference_center.store.tables import EventRow
from tests.support import citus, make

DAY = timedelta(days=1)
ENGINES = ["sqlite", "postgresql", "distributed"]
TOPIC = Target.of("weekly-news")


def read(
    session: Session, after: int = 0, limit: int = 100, now: Any = make.NOW
) -> list[FeedEvent]:
    return feed.read(session, after, limit, now)


def names(events: list[FeedEvent]) -> list[tuple[EventName, str | None]]:
    return [(each.name, each.topic) for each in events]


def number_all(database: Database, now: Any = make.NOW) -> None:
    with database.transaction() as session:
        feed.number(session, now)


# Names.


def values(*statuses: Status | None) -> Iterator[dict[str, Any]]:
    for each in statuses:
        yield {TOPIC.key: each and {"status": each}}


@pytest.mark.parametrize(("event", "scope"), [*product(Event, Scope)])
def test_every_ledger_row_has_a_name(event: Event, scope: Scope) -> None:
    target = Target(scope, "weekly-news" if scope is Scope.TOPIC else None)
    value = {"status": Status.SUBSCRIBED}
    assert name_of(event, target, {target.key: None}, {target.key: value}) in EventName


@pytest.mark.parametrize("event", [Event.UNDONE, Event.UNCONFIRMED])
def test_what_may_start_or_stop_a_topic_is_named_by_its_effect(event: Event) -> None:
    on, off, none = values(Status.SUBSCRIBED, Status.UNSUBSCRIBED, None)
    assert name_of(event, TOPIC, off, on) is EventName.TOPIC_STARTED
    assert name_of(event, TOPIC, none, on) is EventName.TOPIC_STARTED
    assert name_of(event, TOPIC, on, none) is EventName.TOPIC_STOPPED
    assert name_of(event, TOPIC, on, on) is EventName.TOPIC_CHANGED
    assert name_of(event, TOPIC, off, none) is EventName.TOPIC_CHANGED


@pytest.mark.parametrize(
    ("target", "name"), [(ALL, EventName.ALL_STOPPED), (ADDRESS, EventName.ADDRESS_STOPPED)]
)
def test_a_stop_is_named_by_its_scope(target: Target, name: EventName) -> None:
    none: dict[str, Any] = {target.key: None}
    stop: dict[str, Any] = {target.key: {"source": "page"}}
    assert name_of(Event.UNSUBSCRIBED, target, none, stop) is name
    assert name_of(Event.UNDONE, target, none, stop) is name
    for event in (Event.UNDONE, Event.RESUBSCRIBED, Event.LIFTED):
        assert name_of(event, target, stop, none) is EventName.STOP_LIFTED


# Reading.


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_each_change_is_announced_once_in_order(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.reduce(session, Frequency.WEEKLY)
        make.unsubscribe(session, campaign="2026-47", source=Source.ONE_CLICK)
        make.unsubscribe(session, slug=None)
        make.undo(session, 5, 5)
    number_all(database)
    with database.reading() as session:
        found = read(session)
        assert names(found) == [
            (EventName.TOPIC_STARTED, "weekly-news"),
            (EventName.TOPIC_STARTED, "offers"),
            (EventName.TOPIC_CHANGED, "weekly-news"),
            (EventName.TOPIC_STOPPED, "weekly-news"),
            (EventName.ALL_STOPPED, None),
            (EventName.STOP_LIFTED, None),
        ]
        assert [each.position for each in found] == [1, 2, 3, 4, 5, 6]
        assert read(session, 2, 2) == found[2:4]
        assert read(session, 6) == []
    assert found[3].payload() == {
        "id": f"{make.id_of()}-4",
        "type": "topic.stopped",
        "timestamp": "2026-11-22T14:05:00Z",
        "data": {
            "subscriber_id": str(make.id_of()),
            "topic": "weekly-news",
            "campaign": "2026-47",
            "source": "one-click",
            "seq": 4,
        },
    }


def test_a_change_that_changes_nothing_is_not_announced(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        make.unsubscribe(session)
    number_all(database)
    with database.reading() as session:
        assert len(read(session)) == 2


def test_an_event_without_a_position_is_not_in_the_feed(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    with database.reading() as session:
        assert feed.oldest_unnumbered(session) is not None
        assert read(session) == []
    number_all(database)
    with database.reading() as session:
        assert feed.oldest_unnumbered(session) is None
        assert len(read(session)) == 1


def test_a_change_that_is_rolled_back_leaves_no_gap(database: Database) -> None:
    with database.transaction(dry_run=True) as session:
        make.subscriber(session)
    with database.transaction() as session:
        make.subscriber(session)
    number_all(database)
    with database.reading() as session:
        assert [each.position for each in read(session)] == [1]


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_an_erasure_is_announced_and_takes_the_topics_away(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, campaign="2026-47")
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    number_all(database)
    with database.reading() as session:
        found = read(session)
    assert names(found) == [
        (EventName.TOPIC_STARTED, None),
        (EventName.TOPIC_STOPPED, None),
        (EventName.ALL_STOPPED, None),
        (EventName.SUBSCRIBER_ERASING, None),
    ]
    assert {each.campaign for each in found} == {None}
    assert "@" not in str([each.payload() for each in found])


# Numbering.


def test_events_are_numbered_by_time(database: Database) -> None:
    emails = [f"{number}@example.org" for number in range(9)]
    with database.transaction() as session:
        for minute, email in enumerate(emails):
            make.subscriber(session, email, since=make.NOW + timedelta(minutes=minute))
    number_all(database)
    with database.reading() as session:
        assert [each.subscriber_id for each in read(session)] == list(map(make.id_of, emails))


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_the_events_of_a_subscriber_keep_their_order_whatever_the_clocks_say(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BATCH_SIZE", 2)
    with database.transaction() as session:
        make.subscriber(session, since=make.NOW)
        make.unsubscribe(session, at=make.NOW - DAY)
        make.unsubscribe(session, slug=None, at=make.NOW - 2 * DAY)
        make.subscriber(session, "ben@example.org", since=make.NOW - DAY)
    for _ in range(3):
        number_all(database)
    with database.reading() as session:
        found = read(session)
    assert [each.position for each in found] == [1, 2, 3, 4]
    assert [each.seq for each in found if each.subscriber_id == make.id_of()] == [1, 2, 3]


def test_numbering_nothing_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        assert feed.number(session, make.NOW) == 0
    with database.reading() as session:
        assert feed.last_position(session) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_one_transaction_at_a_time_numbers(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    number_all(database)
    with database.transaction() as session:
        make.unsubscribe(session)
    with database.transaction() as first:
        assert feed.number(first, make.NOW) == 1
        with database.transaction() as second:
            assert feed.number(second, make.NOW) == 0


def _set_position(session: Session, seq: int, position: int | None) -> None:
    row = (EventRow.subscriber_id == make.id_of(), EventRow.seq == seq)
    session.execute(update(EventRow).where(*row).values(position=position))


def test_nothing_is_numbered_or_read_beyond_an_event_that_cannot_be_seen_yet(
    database: Database,
) -> None:
    """A cluster may show a transaction on one server before it does on another."""
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        make.start_topic(session)
    number_all(database)
    with database.transaction() as session:
        _set_position(session, 2, None)
        make.unsubscribe(session)
    with database.transaction() as session:
        assert feed.number(session, make.NOW) == 0
        assert [each.position for each in read(session)] == [1]
        assert read(session, 1) == []
        _set_position(session, 2, 2)
        assert feed.number(session, make.NOW) == 1
        assert [each.position for each in read(session)] == [1, 2, 3, 4]


# Retention.


def _fill_days(database: Database, days: int) -> list[UUID]:
    """Number one event on each day from `make.NOW` on."""
    for day in range(days):
        with database.transaction() as session:
            make.subscriber(session, f"{day}@example.org", since=make.NOW + day * DAY)
            feed.number(session, make.NOW + day * DAY)
    return [make.id_of(f"{day}@example.org") for day in range(days)]


def test_events_are_kept_for_30_days_and_then_purged(database: Database) -> None:
    ids = _fill_days(database, 3)
    for passed, left in ((30, ids), (31, ids[1:]), (32, ids[2:]), (60, [])):
        now = make.NOW + passed * DAY
        with database.transaction() as session:
            start = feed.first_position(session, now)
            assert start == 3 - len(left)
            assert [each.subscriber_id for each in read(session, start, now=now)] == left
            if start:
                with pytest.raises(CursorExpiredError):
                    read(session, start - 1, now=now)
            make.purge(session, "events", now)
            assert [each.subscriber_id for each in read(session, start, now=now)] == left


def test_events_are_numbered_after_all_earlier_ones_were_purged(database: Database) -> None:
    _fill_days(database, 2)
    now = make.NOW + 90 * DAY
    with database.transaction() as session:
        assert make.purge(session, "events", now) == 2
        make.unsubscribe(session, "0@example.org", at=now)
        assert feed.number(session, now) == 1
        assert [each.position for each in read(session, 2, now=now)] == [3]


def test_an_event_that_waits_for_its_position_is_not_purged(database: Database) -> None:
    _fill_days(database, 1)
    now = make.NOW + 90 * DAY
    with database.transaction() as session:
        make.unsubscribe(session, "0@example.org")
        make.purge(session, "events", now)
        assert feed.number(session, now) == 1


@pytest.mark.parametrize("position", [2, 2**63, 2**64 - 1])
def test_a_position_that_was_never_reached_has_expired(database: Database, position: int) -> None:
    _fill_days(database, 1)
    with database.reading() as session, pytest.raises(CursorExpiredError):
        read(session, position)


@pytest.mark.parametrize("database_url", ["distributed"], indirect=True)
def test_a_cluster_can_run_every_statement(database: Database) -> None:
    with citus.watched(database.engine) as statements:
        _fill_days(database, 2)
        with database.transaction() as session:
            read(session)
            feed.oldest_unnumbered(session)
            feed.oldest_stop(session, 1)
            make.purge(session, "events", make.NOW + 90 * DAY)
    assert [(each, problem) for each in statements if (problem := citus.problem(each))] == []
