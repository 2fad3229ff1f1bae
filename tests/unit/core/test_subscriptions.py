"""Caps, pauses and their removal: what they change, and what they never change."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from preference_center.core import erasure, subscribers, subscriptions, topics
from preference_center.core.apply import apply_one
from preference_center.core.preferences_form import PauseAll
from preference_center.core.snapshots import capture
from preference_center.core.state import Subscriber, Subscription
from preference_center.core.vocab import Frequency, Pause, Scope, Source, Status
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

ADA = "ada@example.org"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATER = make.NOW + HOUR
NEW_YORK = ZoneInfo("America/New_York")
# Clocks change at midnight in Cairo, Havana and Santiago; Lord Howe's change by half an hour.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Africa/Cairo",
        "America/Havana",
        "America/New_York",
        "America/Santiago",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Pacific/Kiritimati",
        "UTC",
    )
]
EVERY_CHOICE: list[Frequency | Pause] = [*Frequency, *Pause]


def _ada(session: Session) -> Subscriber:
    return make.found(session)


def _subscription(session: Session, slug: str = "weekly-news") -> Subscription:
    return _ada(session).subscriptions[slug]


@pytest.mark.parametrize("now", list(Frequency))
@pytest.mark.parametrize("choice", list(Frequency))
def test_a_reduction_never_increases_the_frequency(
    database: Database, now: Frequency, choice: Frequency
) -> None:
    order = list(Frequency)
    with database.transaction() as session:
        make.subscriber(session, frequency=now)
        result = make.reduce(session, choice)
        assert result.changed == (order.index(choice) > order.index(now))
        assert _subscription(session).frequency == max((now, choice), key=order.index)


@pytest.mark.parametrize(
    ("was", "wanted", "event"),
    [
        (Frequency.EVERY, Frequency.WEEKLY, "reduced"),
        (Frequency.WEEKLY, Frequency.MONTHLY, "reduced"),
        (Frequency.MONTHLY, Frequency.WEEKLY, "increased"),
        (Frequency.WEEKLY, Frequency.EVERY, "increased"),
    ],
)
def test_a_cap_can_be_set_and_lifted(
    database: Database, was: Frequency, wanted: Frequency, event: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=was)
        assert make.set_frequency(session, wanted).changed
        assert _subscription(session).frequency == wanted
        assert make.events(session)[-1] == (event, "weekly-news")


def test_a_cap_leaves_status_pause_and_other_topics_unchanged(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.reduce(session, Pause.ONE_MONTH)
        before = capture(_ada(session), make.TARGETS)
        make.reduce(session, Frequency.MONTHLY)
        after = capture(_ada(session), make.TARGETS)
        weekly = before["topic:weekly-news"] or {}
        assert after == before | {"topic:weekly-news": {**weekly, "frequency": "monthly"}}


def test_a_repeated_reduction_writes_nothing_and_sends_no_email(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        for choice in (Frequency.MONTHLY, Pause.THREE_MONTHS):
            first = make.reduce(session, choice, notice_delay=HOUR)
            repeat = make.reduce(session, choice, at=LATER, notice_delay=HOUR)
            assert (first.changed, repeat.changed) == (True, False)
            assert session.query(OutboxRow).one().last_seq == first.last_seq
        assert len(make.events(session)) == 3


def _unconfirmed(session: Session) -> None:
    make.subscriber(session, status=Status.UNCONFIRMED)


def _unsubscribed(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session)


def _unsubscribed_from_all(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None)


def _bounced(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")


def _archived(session: Session) -> None:
    make.subscriber(session)
    topics.archive(topics.get(session, "weekly-news"), make.NOW)


def _erased(session: Session) -> None:
    make.subscriber(session)
    erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)


def _unknown(session: Session) -> None:
    make.topic(session)


RECEIVES_NOTHING = [
    _unconfirmed,
    _unsubscribed,
    _unsubscribed_from_all,
    _bounced,
    _archived,
    _erased,
    _unknown,
]


@pytest.mark.parametrize("prepare", RECEIVES_NOTHING)
def test_a_topic_that_is_not_received_cannot_be_changed(database: Database, prepare: Any) -> None:
    with database.transaction() as session:
        prepare(session)
        before = subscribers.find(session, make.id_of())
        for choice in EVERY_CHOICE:
            assert not make.reduce(session, choice, at=LATER).changed
        assert not make.set_frequency(session, Frequency.MONTHLY, at=LATER).changed
        assert not make.resume(session, at=LATER).changed
        assert subscribers.find(session, make.id_of()) == before


def test_an_unknown_subscriber_can_reduce_an_opt_out_topic(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        assert not make.reduce(session, Frequency.EVERY).changed
        assert make.reduce(session, Frequency.MONTHLY).changed
        subscription = _subscription(session)
        assert (subscription.status, subscription.frequency, subscription.source) == (
            "subscribed",
            "monthly",
            "page",
        )
        assert subscription.consent_at is None, "a reduction is not consent"
        assert make.events(session) == [("reduced", "weekly-news")]


@pytest.mark.parametrize(
    ("today", "length", "ends"),
    [
        ("2026-11-22", Pause.TWO_WEEKS, "2026-12-06"),
        ("2026-12-20", Pause.TWO_WEEKS, "2027-01-03"),
        ("2028-02-20", Pause.TWO_WEEKS, "2028-03-05"),
        ("2026-11-22", Pause.ONE_MONTH, "2026-12-22"),
        ("2026-12-31", Pause.ONE_MONTH, "2027-01-31"),
        ("2027-01-29", Pause.ONE_MONTH, "2027-02-28"),
        ("2028-01-30", Pause.ONE_MONTH, "2028-02-29"),
        ("2026-08-31", Pause.ONE_MONTH, "2026-09-30"),
        ("2026-11-30", Pause.THREE_MONTHS, "2027-02-28"),
        ("2026-10-01", Pause.THREE_MONTHS, "2027-01-01"),
        ("2026-09-30", Pause.THREE_MONTHS, "2026-12-30"),
        ("2027-12-31", Pause.THREE_MONTHS, "2028-03-31"),
    ],
)
@pytest.mark.parametrize("hour", ["00:00:00", "23:59:59"])
def test_a_pause_ends_at_the_start_of_a_day(
    today: str, length: Pause, ends: str, hour: str
) -> None:
    now = datetime.fromisoformat(f"{today}T{hour}+00:00")
    assert subscriptions.paused_until(length, now, UTC).isoformat() == f"{ends}T00:00:00+00:00"


def test_the_days_of_a_pause_are_days_of_the_zone() -> None:
    now = datetime.fromisoformat("2026-11-30T23:30:00-05:00")
    ends = [subscriptions.paused_until(Pause.ONE_MONTH, now, zone) for zone in (UTC, NEW_YORK)]
    assert [each.isoformat() for each in ends] == [
        "2027-01-01T00:00:00+00:00",
        "2026-12-30T05:00:00+00:00",
    ]


@given(minutes=st.integers(0, 60 * 24 * 366 * 5), zone=st.sampled_from(ZONES))
def test_a_pause_of_two_weeks_ends_at_midnight_across_changes_of_the_clock(
    minutes: int, zone: ZoneInfo
) -> None:
    now = make.NOW + timedelta(minutes=minutes)
    ends = subscriptions.paused_until(Pause.TWO_WEEKS, now, zone)
    assert ends.tzinfo is UTC
    last_day = now.astimezone(zone).date() + 13 * DAY
    assert (ends - timedelta.resolution).astimezone(zone).date() == last_day
    assert ends.astimezone(zone).date() == last_day + DAY


def test_a_pause_ends_with_the_day_in_the_zone_of_its_context(database: Database) -> None:
    late = datetime(2026, 11, 23, 3, tzinfo=UTC)  # Still 22 November in New York.
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.reduce(session, Pause.ONE_MONTH, at=late, time_zone=NEW_YORK)
        ends = datetime(2026, 12, 22, 5, tzinfo=UTC)
        assert _subscription(session).paused_until == ends
        all_topics = PauseAll(
            make.id_of(), Pause.TWO_WEEKS, make.context(at=late, time_zone=NEW_YORK)
        )
        apply_one(session, all_topics, late)
        assert _subscription(session, "offers").paused_until == datetime(2026, 12, 6, 5, tzinfo=UTC)


def test_a_pause_keeps_the_cap_and_is_recorded_in_the_ledger(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.WEEKLY)
        assert make.reduce(session, Pause.ONE_MONTH).changed
        subscription = _subscription(session)
        assert (subscription.status, subscription.frequency) == ("subscribed", "weekly")
        assert subscription.paused_until == datetime(2026, 12, 22, tzinfo=UTC)
        assert make.events(session)[-1] == ("paused", "weekly-news")


def test_a_shorter_pause_does_not_replace_a_longer_one(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Pause.THREE_MONTHS)
        until = _subscription(session).paused_until
        assert not make.reduce(session, Pause.TWO_WEEKS, at=LATER).changed
        assert _subscription(session).paused_until == until


def test_a_longer_pause_replaces_a_shorter_one(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Pause.TWO_WEEKS)
        assert make.reduce(session, Pause.ONE_MONTH, at=LATER).changed
        assert _subscription(session).paused_until == subscriptions.paused_until(
            Pause.ONE_MONTH, LATER, UTC
        )


def test_a_pause_that_has_ended_can_be_followed_by_another(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Pause.THREE_MONTHS)
        later = make.NOW + 100 * DAY
        assert make.reduce(session, Pause.TWO_WEEKS, at=later).changed
        assert _subscription(session).paused_until == subscriptions.paused_until(
            Pause.TWO_WEEKS, later, UTC
        )


def test_resuming_ends_a_pause_and_nothing_else(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.MONTHLY)
        make.reduce(session, Pause.ONE_MONTH)
        assert make.resume(session, at=LATER).changed
        assert (_subscription(session).paused_until, _subscription(session).frequency) == (
            None,
            "monthly",
        )
        assert make.events(session)[-1] == ("resumed", "weekly-news")
        assert not make.resume(session, at=LATER).changed


def test_resuming_changes_nothing_after_a_pause_has_ended(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Pause.TWO_WEEKS)
        until = _subscription(session).paused_until
        assert until is not None
        assert not make.resume(session, at=until).changed
        assert make.resume(session, at=until - timedelta(minutes=1)).changed


def test_an_unsubscribe_ends_a_pause(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Pause.THREE_MONTHS)
        make.unsubscribe(session)
        assert _subscription(session).paused_until is None
