"""Joining: a confirm link starts one topic and no other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import erasure, joining, preferences, subscribers, topics
from preference_center.core.errors import UndoSupersededError
from preference_center.core.state import Subscriber, Subscription, Suppression
from preference_center.core.vocab import (
    ConfirmState,
    Frequency,
    Pause,
    Scope,
    Source,
    Status,
)
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

ADA = "ada@example.org"
LATER = make.NOW + timedelta(hours=1)
DAY = timedelta(days=1)


def _ada(session: Session) -> Subscriber:
    return make.found(session)


def _subscription(session: Session, slug: str = "weekly-news") -> Subscription:
    return _ada(session).subscriptions[slug]


def _received(session: Session) -> set[str]:
    ada = _ada(session)
    return {topic.slug for topic in topics.list_topics(session) if preferences.receives(ada, topic)}


def test_joining_starts_a_topic_with_default_preferences(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "offers")
        make.topic(session)
        result = make.start_topic(session, wording="Send me Weekly news.")
        subscription = _subscription(session)
        assert result.changed
        assert (subscription.status, subscription.frequency, subscription.paused_until) == (
            "subscribed",
            "every",
            None,
        )
        assert (subscription.consent_at, subscription.consent_source) == (make.NOW, "confirm link")
        assert (subscription.basis, subscription.source) == ("consent", "page")
        assert subscription.consent_wording is not None
        assert make.events(session)[-1] == ("subscribed", "weekly-news")


def test_an_unsubscribed_topic_can_be_joined_again(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.MONTHLY)
        make.unsubscribe(session)
        assert make.start_topic(session, at=LATER).changed
        assert _subscription(session).changed_at == LATER
        assert _subscription(session).frequency == "every"
        assert make.events(session)[-1] == ("resubscribed", "weekly-news")


def test_an_unconfirmed_subscriber_can_join(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, status=Status.UNCONFIRMED)
        assert make.start_topic(session).changed
        assert make.events(session)[-1] == ("subscribed", "weekly-news")


def test_joining_a_received_topic_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.MONTHLY)
        make.reduce(session, Pause.THREE_MONTHS)
        assert not make.start_topic(session, at=LATER).changed
        assert _subscription(session).frequency == "monthly"


def _unsubscribed_from_all_after_three_topics(session: Session) -> None:
    make.topic(session, "silence", policy="opt_out")
    make.topic(session, "never-had")
    make.subscriber(session, ADA, "weekly-news", "offers", "events")
    make.unsubscribe(session, slug="events")
    make.unsubscribe(session, slug=None)


def test_joining_after_a_global_unsubscribe_starts_only_that_topic(database: Database) -> None:
    with database.transaction() as session:
        _unsubscribed_from_all_after_three_topics(session)
        assert make.start_topic(session, at=LATER).changed
        assert _received(session) == {"weekly-news"}
    with database.reading() as session:
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        assert not ada.suppressions
        assert {slug: ada.subscriptions[slug].status for slug in ada.subscriptions} == {
            "weekly-news": "subscribed",
            "offers": "unsubscribed",
            "events": "unsubscribed",
            "silence": "unsubscribed",
            "never-had": "unsubscribed",
        }


@pytest.mark.parametrize("status", [Status.SUBSCRIBED, Status.UNCONFIRMED])
@pytest.mark.parametrize("slug", ["never-had", "asked-once", "archived"])
def test_an_import_does_not_start_a_topic_that_stayed_off(
    database: Database, slug: str, status: Status
) -> None:
    with database.transaction() as session:
        make.topic(session, "never-had")
        make.subscriber(session, ADA, "weekly-news", "archived")
        make.subscriber(session, ADA, "asked-once", status=Status.UNCONFIRMED)
        topics.archive(topics.get(session, "archived"), make.NOW)
        make.unsubscribe(session, slug=None)
        make.start_topic(session, at=LATER)
        make.subscriber(session, ADA, slug, status=status)
        assert _subscription(session, slug).status == Status.UNSUBSCRIBED


def test_each_topic_that_stays_off_has_a_ledger_row(database: Database) -> None:
    with database.transaction() as session:
        _unsubscribed_from_all_after_three_topics(session)
        seq = _ada(session).seq
        result = make.start_topic(session, at=LATER)
        assert make.events(session)[seq:] == [
            ("resubscribed", "all"),
            ("stayed_off", "never-had"),
            ("stayed_off", "offers"),
            ("stayed_off", "silence"),
            ("resubscribed", "weekly-news"),
        ]
        assert (result.first_seq, result.last_seq) == (seq + 1, seq + 5)


def test_joining_keeps_the_date_of_an_earlier_topic_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        _unsubscribed_from_all_after_three_topics(session)
        make.start_topic(session, at=LATER)
        assert _subscription(session, "events").changed_at == make.NOW
        assert _subscription(session, "offers").changed_at == LATER


def test_a_new_topic_can_be_joined_after_a_global_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        _unsubscribed_from_all_after_three_topics(session)
        make.start_topic(session, slug="never-had", at=LATER)
        assert _received(session) == {"never-had"}
        assert make.events(session)[-1] == ("resubscribed", "never-had")


def test_joining_lifts_a_complaint(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.unsubscribe(session, slug=None, source="complaint")
        assert make.start_topic(session, at=LATER).changed
        assert _received(session) == {"weekly-news"}


def _unsubscribed_from_all(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None)


def _bounced_since(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce", at=LATER)


def _suppressed_by_the_sender(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="import")


def _suppressed_by_the_sender_after_a_bounce(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")
    make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="cli")


def _unsubscribed_since(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, at=LATER)


def _unsubscribed_again_since(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, source="one-click")
    make.unsubscribe(session, at=LATER)


def _unsubscribed_from_all_since(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, at=LATER)


def _complained_since(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, source="complaint", at=LATER)


def _complained_about_another_topic_since(session: Session) -> None:
    make.subscriber(session, ADA, "offers")
    make.topic(session)
    make.unsubscribe(session, slug="offers", source="complaint", at=LATER)


def _unsubscribed_and_complained_since(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None)
    make.unsubscribe(session, slug=None, source="complaint", at=LATER)


def _archived(session: Session) -> None:
    make.subscriber(session)
    topics.archive(topics.get(session, "weekly-news"), make.NOW)


def _erased(session: Session) -> None:
    make.subscriber(session)
    erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)


STATE_AFTER: dict[Callable[[Session], None], ConfirmState] = {
    _archived: ConfirmState.EXPIRED,
    _bounced_since: ConfirmState.EXPIRED,
    _erased: ConfirmState.UNREACHABLE,
    _suppressed_by_the_sender: ConfirmState.UNREACHABLE,
    _suppressed_by_the_sender_after_a_bounce: ConfirmState.UNREACHABLE,
    _unsubscribed_since: ConfirmState.UNSUBSCRIBED,
    _unsubscribed_again_since: ConfirmState.UNSUBSCRIBED,
    _unsubscribed_from_all_since: ConfirmState.UNSUBSCRIBED,
    _complained_since: ConfirmState.COMPLAINED,
    _complained_about_another_topic_since: ConfirmState.COMPLAINED,
    _unsubscribed_and_complained_since: ConfirmState.COMPLAINED,
}


@pytest.mark.parametrize("prepare", STATE_AFTER)
def test_a_superseded_confirm_link_starts_nothing(
    database: Database, prepare: Callable[[Session], None]
) -> None:
    with database.transaction() as session:
        prepare(session)
        seq, topic = _ada(session).seq, topics.get(session, "weekly-news")
        assert joining.confirm_state(_ada(session), topic, make.NOW) is STATE_AFTER[prepare]
        assert not make.start_topic(session, at=LATER, asked_at=make.NOW).changed
        assert _ada(session).seq == seq
        assert "weekly-news" not in _received(session)


@pytest.mark.parametrize(
    "prepare", [_unsubscribed_since, _unsubscribed_from_all_since, _bounced_since]
)
def test_a_confirm_link_newer_than_every_unsubscribe_starts_the_topic(
    database: Database, prepare: Callable[[Session], None]
) -> None:
    with database.transaction() as session:
        prepare(session)
        assert make.start_topic(session, at=LATER).changed
        assert _received(session) == {"weekly-news"}
        assert not _ada(session).suppressions


def test_an_unknown_subscriber_or_topic_has_a_confirm_state(database: Database) -> None:
    with database.transaction() as session:
        topic = make.topic(session)
        assert joining.confirm_state(None, topic, make.NOW) is ConfirmState.READY
        assert joining.confirm_state(None, None, make.NOW) is ConfirmState.EXPIRED


def test_a_newer_unsubscribe_from_another_topic_does_not_matter(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "offers")
        make.topic(session)
        make.unsubscribe(session, slug="offers", at=LATER)
        assert make.start_topic(session, at=LATER, asked_at=make.NOW).changed
        assert _received(session) == {"weekly-news"}


# A complaint weighs more than any other unsubscribe that it repeats.


@pytest.mark.parametrize("slug", ["weekly-news", None])
@pytest.mark.parametrize("source", ["page", "one-click", "import", "bounce", "cli"])
def test_a_complaint_after_an_unsubscribe_is_recorded(
    database: Database, slug: str | None, source: Any
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, slug=slug, source=source)
        assert preferences.complained_at(_ada(session)) is None
        repeat = make.unsubscribe(
            session, slug=slug, source="complaint", at=LATER, notice_delay=DAY
        )
        assert not repeat.changed
        assert preferences.complained_at(_ada(session)) == LATER
        recorded = _subscription(session) if slug else _ada(session).suppressions[Scope.ALL]
        assert isinstance(recorded, Suppression) or recorded.changed_at == make.NOW
        assert isinstance(recorded, Subscription) or recorded.since == make.NOW
        assert make.events(session)[-1] == ("unsubscribed", slug or "all")
        assert session.query(OutboxRow).count() == 0
        seq = _ada(session).seq
        make.unsubscribe(session, slug=slug, source="complaint", at=LATER + DAY)
        make.unsubscribe(session, slug=slug, source="page", at=LATER + DAY)
        assert _ada(session).seq == seq
        assert preferences.complained_at(_ada(session)) == LATER + DAY


def test_an_unsubscribe_cannot_be_undone_after_a_complaint(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        make.unsubscribe(session, source="complaint", at=LATER)
        with pytest.raises(UndoSupersededError):
            make.undo(session, unsubscribe.first_seq, unsubscribe.last_seq, at=LATER)


def test_a_complaint_of_an_erased_subscriber_limits_the_emails_of_sign_ups(
    database: Database,
) -> None:
    with database.transaction() as session:
        _erased(session)
        assert preferences.complained_at(_ada(session)) is None
        make.unsubscribe(session, slug=None, source="complaint", at=LATER, language="de")
        assert preferences.complained_at(_ada(session)) == LATER
        assert (_ada(session).email, _ada(session).locale) == (None, None)
        assert make.events(session)[-1] == ("unsubscribed", "all")
