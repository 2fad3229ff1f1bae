"""Ending consent on both engines: the stored state, repeats and late arrivals."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import subscribers
from preference_center.core.change import ChangeResult
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Scope, Source, Status
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

NOTICE_DELAY = timedelta(minutes=2)
EARLIER = make.NOW - timedelta(days=3)


def _read(database: Database, email: str = "ada@example.org") -> Subscriber:
    with database.reading() as session:
        return make.found(session, email)


def _unsubscribe_late(session: Session, slug: str | None, recorded_at: datetime) -> ChangeResult:
    """Record an unsubscribe that was made at `EARLIER`."""
    return make.unsubscribe(
        session, slug=slug, source=Source.MAILTO, at=recorded_at, occurred_at=EARLIER
    )


def test_an_unsubscribe_ends_the_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        assert make.unsubscribe(session).changed
    assert _read(database).subscriptions["weekly-news"].status == "unsubscribed"


def test_an_unsubscribe_leaves_other_topics_unchanged(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.unsubscribe(session)
    subscriptions = _read(database).subscriptions
    assert {slug: subscriptions[slug].status for slug in subscriptions} == {
        "weekly-news": "unsubscribed",
        "offers": "subscribed",
    }


def test_an_unsubscribe_of_an_unknown_address_is_recorded(database: Database) -> None:
    with database.transaction() as session:
        assert make.unsubscribe(session, "stranger@example.org", "never-heard-of").changed
    subscriber = _read(database, "stranger@example.org")
    assert subscriber.email is None
    assert subscriber.subscriptions["never-heard-of"].status == "unsubscribed"


def test_a_global_unsubscribe_leaves_subscriptions_unchanged(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, slug=None)
    ada = _read(database)
    assert set(ada.suppressions) == {"all"}
    assert ada.suppressions[Scope.ALL].since == make.NOW
    assert ada.subscriptions["weekly-news"].status == "subscribed"


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_repeat_keeps_the_first_time_and_writes_nothing(
    database: Database, slug: str | None
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, slug=slug, notice_delay=NOTICE_DELAY)
    later = make.NOW + timedelta(hours=1)
    with database.transaction() as session:
        repeat = make.unsubscribe(
            session, slug=slug, at=later, source="one-click", notice_delay=NOTICE_DELAY
        )
        assert not repeat.changed
        assert len(make.events(session)) == 2
        assert session.query(OutboxRow).one().last_seq == first.last_seq
    ada = _read(database)
    subscription = ada.subscriptions["weekly-news"]
    since = ada.suppressions[Scope.ALL].since if slug is None else subscription.changed_at
    assert since == make.NOW


def test_a_topic_can_be_unsubscribed_after_a_global_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, slug=None)
        assert make.unsubscribe(session).changed


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_late_unsubscribe_is_superseded_by_a_newer_choice(
    database: Database, slug: str | None
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, slug=slug)
        make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)
        assert not _unsubscribe_late(session, slug, make.NOW + timedelta(hours=1)).changed


def test_a_late_unsubscribe_is_not_superseded_by_an_import(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, since=make.NOW - timedelta(days=1))
        assert _unsubscribe_late(session, "weekly-news", make.NOW).changed
        assert make.found(session).subscriptions["weekly-news"].changed_at == EARLIER


def test_a_late_unsubscribe_is_superseded_only_for_the_same_topic(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "a", "b", "c")
        first = make.unsubscribe(session, slug="a").last_seq
        last = make.unsubscribe(session, slug="b").last_seq
        make.undo(session, first, last)
        later = make.NOW + timedelta(hours=1)
        ended = [_unsubscribe_late(session, slug, later).changed for slug in "abc"]
        assert ended == [False, False, True]


def test_an_import_does_not_restart_an_unsubscribed_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        ada = make.subscriber(session)
        assert ada.subscriptions["weekly-news"].status == "unsubscribed"
        assert len(make.events(session)) == 2


def test_an_unconfirmed_subscription_can_become_subscribed(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, status=Status.UNCONFIRMED)
        ada = make.subscriber(session, status=Status.SUBSCRIBED)
        assert ada.subscriptions["weekly-news"].status == "subscribed"
        assert [event for event, _ in make.events(session)] == ["unconfirmed", "subscribed"]


def test_a_failed_transaction_leaves_no_part_of_an_unsubscribe(database: Database) -> None:
    def unsubscribe_and_fail() -> None:
        with database.transaction() as session:
            make.unsubscribe(session, notice_delay=NOTICE_DELAY)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        unsubscribe_and_fail()
    with database.reading() as session:
        assert subscribers.find(session, make.id_of()) is None
        assert session.query(OutboxRow).count() == 0
