"""Ending consent, on both engines: what is kept, what a repeat does, and what comes too late."""

from datetime import timedelta

import pytest

from preference_center.core import consent, subscribers
from preference_center.core.change import ChangeContext, Target
from preference_center.core.vocab import Scope, Source, Status
from preference_center.store import Database
from preference_center.store.tables import OutboxRow, Subscriber
from tests.support import make

QUIET = timedelta(minutes=2)
EARLIER = make.NOW - timedelta(days=3)


def _found(database: Database, email: str = "ada@example.org") -> Subscriber:
    with database.reading() as session:
        found = subscribers.find(session, make.person(email))
        assert found is not None
        return found


def test_a_stop_ends_the_topic(database: Database) -> None:
    with database.transaction() as session:
        ada = make.reader(session)
        assert consent.end_consent(session, ada, Target.of("weekly-news"), make.context()).changed
    assert _found(database).subscriptions["weekly-news"].status == "unsubscribed"


def test_a_stop_leaves_the_other_topics_alone(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        make.stop(session)
    held = _found(database).subscriptions
    assert {slug: held[slug].status for slug in held} == {
        "weekly-news": "unsubscribed",
        "offers": "subscribed",
    }


def test_a_stop_for_somebody_never_seen_is_kept(database: Database) -> None:
    with database.transaction() as session:
        assert make.stop(session, "stranger@example.org", "never-heard-of").changed
    stranger = _found(database, "stranger@example.org")
    assert stranger.email is None
    assert stranger.subscriptions["never-heard-of"].status == "unsubscribed"


def test_a_stop_of_everything_leaves_the_subscriptions_as_they_were(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, slug=None)
    ada = _found(database)
    assert set(ada.suppressions) == {"all"}
    assert ada.suppressions[Scope.ALL].since == make.NOW
    assert ada.subscriptions["weekly-news"].status == "subscribed"


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_repeat_keeps_the_first_time_and_writes_nothing(
    database: Database, slug: str | None
) -> None:
    with database.transaction() as session:
        make.reader(session)
        first = make.stop(session, slug=slug, notice_delay=QUIET)
    later = make.NOW + timedelta(hours=1)
    with database.transaction() as session:
        repeat = make.stop(session, slug=slug, at=later, source="one-click", notice_delay=QUIET)
        assert not repeat.changed
        assert len(make.events(session)) == 2
        assert session.query(OutboxRow).one().last_seq == first.last_seq
    ada = _found(database)
    subscription = ada.subscriptions["weekly-news"]
    since = ada.suppressions[Scope.ALL].since if slug is None else subscription.changed_at
    assert since == make.NOW


def test_a_topic_can_still_be_left_after_everything_was(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, slug=None)
        assert make.stop(session).changed


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_stop_that_arrives_late_yields_to_the_persons_newer_choice(
    database: Database, slug: str | None
) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, slug=slug)
        make.undo(session, stop.last_seq, stop.last_seq)
        late = ChangeContext(Source.MAILTO, EARLIER, make.NOW + timedelta(hours=1))
        ada = subscribers.lock(session, make.person(), make.NOW)
        result = consent.end_consent(session, ada, Target.of(slug), late)
        assert not result.changed


def test_a_stop_that_arrives_late_beats_what_an_import_brought(database: Database) -> None:
    with database.transaction() as session:
        ada = make.reader(session, since=make.NOW - timedelta(days=1))
        late = ChangeContext(Source.MAILTO, EARLIER, make.NOW)
        assert consent.end_consent(session, ada, Target.of("weekly-news"), late).changed
        assert ada.subscriptions["weekly-news"].changed_at == EARLIER


def test_a_late_stop_yields_only_where_the_newer_choice_touched_its_topic(
    database: Database,
) -> None:
    with database.transaction() as session:
        ada = make.reader(session, "ada@example.org", "a", "b", "c")
        first = make.stop(session, slug="a").last_seq
        last = make.stop(session, slug="b").last_seq
        make.undo(session, first, last)
        late = ChangeContext(Source.MAILTO, EARLIER, make.NOW + timedelta(hours=1))
        ended = [consent.end_consent(session, ada, Target.of(slug), late).changed for slug in "abc"]
        assert ended == [False, False, True]


def test_a_sender_cannot_bring_back_who_left(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session)
        ada = make.reader(session)
        assert ada.subscriptions["weekly-news"].status == "unsubscribed"
        assert len(make.events(session)) == 2


def test_who_was_unconfirmed_can_become_subscribed(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, status=Status.UNCONFIRMED)
        ada = make.reader(session, status=Status.SUBSCRIBED)
        assert ada.subscriptions["weekly-news"].status == "subscribed"
        assert [event for event, _ in make.events(session)] == ["unconfirmed", "subscribed"]


def test_a_transaction_that_fails_leaves_no_part_of_a_stop(database: Database) -> None:
    def stop_and_fail() -> None:
        with database.transaction() as session:
            make.stop(session, notice_delay=QUIET)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_and_fail()
    with database.reading() as session:
        assert subscribers.find(session, make.person()) is None
        assert session.query(OutboxRow).count() == 0
