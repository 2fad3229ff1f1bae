"""Joining: one topic comes again, and nothing else does."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import erasure, preferences, subscribers, topics
from preference_center.store import Database
from preference_center.store.tables import Subscriber, Subscription
from tests import make

ADA = "ada@example.org"
LATER = make.NOW + timedelta(hours=1)


def _ada(session: Session) -> Subscriber:
    return subscribers.lock(session, make.person(), make.NOW)


def _gets(session: Session, slug: str = "weekly-news") -> Subscription:
    return _ada(session).subscriptions[slug]


def _received(session: Session) -> set[str]:
    ada = _ada(session)
    return {topic.slug for topic in topics.everything(session) if preferences.receives(ada, topic)}


def test_joining_starts_a_topic_afresh(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "offers")
        make.topic(session)
        outcome = make.join(session, wording="Send me Weekly news.")
        held = _gets(session)
        assert outcome.changed
        assert (held.status, held.frequency, held.paused_until) == ("subscribed", "every", None)
        assert (held.consent_at, held.consent_source) == (make.NOW, "preference page")
        assert (held.basis, held.source) == ("consent", "page")
        assert held.consent_wording is not None
        assert make.events(session)[-1] == ("subscribed", "weekly-news")


def test_who_left_a_topic_can_join_it_again(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session).subscriptions["weekly-news"].frequency = "monthly"
        make.stop(session)
        assert make.join(session, at=LATER).changed
        assert _gets(session).changed_at == LATER
        assert _gets(session).frequency == "every"
        assert make.events(session)[-1] == ("resubscribed", "weekly-news")


def test_who_was_unconfirmed_can_join(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, status="unconfirmed")
        assert make.join(session).changed
        assert make.events(session)[-1] == ("subscribed", "weekly-news")


def test_joining_what_comes_already_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, "monthly")
        make.less(session, "3-months")
        assert not make.join(session, at=LATER).changed
        assert _gets(session).frequency == "monthly"


def _reader_of_three_who_left_everything(session: Session) -> None:
    make.topic(session, "silence", policy="opt_out")
    make.topic(session, "never-had")
    make.reader(session, ADA, "weekly-news", "offers", "events")
    make.stop(session, slug="events")
    make.stop(session, slug=None)


def test_who_left_everything_gets_only_what_they_join(database: Database) -> None:
    with database.transaction() as session:
        _reader_of_three_who_left_everything(session)
        assert make.join(session, at=LATER).changed
        assert _received(session) == {"weekly-news"}
    with database.reading() as session:
        ada = subscribers.find(session, make.person())
        assert ada is not None
        assert not ada.suppressions
        assert {slug: ada.subscriptions[slug].status for slug in ada.subscriptions} == {
            "weekly-news": "subscribed",
            "offers": "unsubscribed",
            "events": "unsubscribed",
            "silence": "unsubscribed",
            "never-had": "unsubscribed",
        }


@pytest.mark.parametrize("status", ["subscribed", "unconfirmed"])
@pytest.mark.parametrize("slug", ["never-had", "asked-once", "archived"])
def test_no_import_brings_back_the_rest_of_what_was_left(
    database: Database, slug: str, status: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "never-had")
        make.reader(session, ADA, "weekly-news", "archived")
        make.reader(session, ADA, "asked-once", status="unconfirmed")
        topics.archive(topics.get(session, "archived"), make.NOW)
        make.stop(session, slug=None)
        make.join(session, at=LATER)
        make.reader(session, ADA, slug, status=status)
        assert _gets(session, slug).status == "unsubscribed"


def test_each_topic_that_stays_off_has_a_ledger_row(database: Database) -> None:
    with database.transaction() as session:
        _reader_of_three_who_left_everything(session)
        seq = _ada(session).seq
        outcome = make.join(session, at=LATER)
        assert make.events(session)[seq:] == [
            ("resubscribed", "all"),
            ("stayed_off", "never-had"),
            ("stayed_off", "offers"),
            ("stayed_off", "silence"),
            ("resubscribed", "weekly-news"),
        ]
        assert (outcome.first, outcome.seq) == (seq + 1, seq + 5)


def test_a_topic_left_before_keeps_its_date_when_another_is_joined(database: Database) -> None:
    with database.transaction() as session:
        _reader_of_three_who_left_everything(session)
        make.join(session, at=LATER)
        assert _gets(session, "events").changed_at == make.NOW
        assert _gets(session, "offers").changed_at == LATER


def test_who_left_everything_can_join_what_they_never_had(database: Database) -> None:
    with database.transaction() as session:
        _reader_of_three_who_left_everything(session)
        make.join(session, slug="never-had", at=LATER)
        assert _received(session) == {"never-had"}
        assert make.events(session)[-1] == ("resubscribed", "never-had")


def test_a_complaint_is_lifted_by_joining(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "weekly-news", "offers")
        make.stop(session, slug=None, source="complaint")
        assert make.join(session, at=LATER).changed
        assert _received(session) == {"weekly-news"}


def _left_everything(session: Session) -> None:
    make.reader(session)
    make.stop(session, slug=None)


def _bounced(session: Session) -> None:
    make.reader(session)
    make.stop(session, slug=None, scope="address", source="bounce")


def _archived(session: Session) -> None:
    make.reader(session)
    topics.archive(topics.get(session, "weekly-news"), make.NOW)


def _erased(session: Session) -> None:
    make.reader(session)
    erasure.erase(session, make.person(), "cli", make.NOW)


@pytest.mark.parametrize("happened", [_bounced, _archived, _erased])
def test_there_is_no_joining_where_no_mail_may_come(
    database: Database, happened: Callable[[Session], None]
) -> None:
    with database.transaction() as session:
        happened(session)
        seq = _ada(session).seq
        assert not make.join(session, at=LATER).changed
        assert _ada(session).seq == seq
        assert _received(session) == set()


def test_who_bounced_and_left_everything_stays_stopped(database: Database) -> None:
    with database.transaction() as session:
        _left_everything(session)
        make.stop(session, slug=None, scope="address", source="bounce")
        assert not make.join(session, at=LATER).changed
        assert set(_ada(session).suppressions) == {"all", "address"}
