"""Asking for less, and for more of it again: what changes, and what never does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import erasure, subscribers, subscriptions, topics
from preference_center.core.change import ChangeResult
from preference_center.core.snapshots import capture
from preference_center.core.vocab import Frequency, Pause, Scope, Source, Status
from preference_center.store import Database
from preference_center.store.tables import OutboxRow, Subscriber, Subscription
from tests.support import make

ADA = "ada@example.org"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATER = make.NOW + HOUR
EVERY_CHOICE: list[Frequency | Pause] = [*Frequency, *Pause]


def _ada(session: Session) -> Subscriber:
    return subscribers.lock(session, make.person(), make.NOW)


def _gets(session: Session, slug: str = "weekly-news") -> Subscription:
    return _ada(session).subscriptions[slug]


def _cap(
    session: Session, frequency: Frequency, slug: str = "weekly-news", **changes: Any
) -> ChangeResult:
    topic = topics.get(session, slug)
    return subscriptions.set_frequency(
        session, _ada(session), topic, frequency, make.context(**changes)
    )


def _resume(session: Session, **changes: Any) -> ChangeResult:
    topic = topics.get(session, "weekly-news")
    return subscriptions.resume(session, _ada(session), topic, make.context(**changes))


@pytest.mark.parametrize("now", list(Frequency))
@pytest.mark.parametrize("choice", list(Frequency))
def test_asking_for_less_never_gives_more(
    database: Database, now: Frequency, choice: Frequency
) -> None:
    order = list(Frequency)
    with database.transaction() as session:
        make.reader(session).subscriptions["weekly-news"].frequency = now
        result = make.less(session, choice)
        assert result.changed == (order.index(choice) > order.index(now))
        assert _gets(session).frequency == max((now, choice), key=order.index)


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
        make.reader(session).subscriptions["weekly-news"].frequency = was
        assert _cap(session, wanted).changed
        assert _gets(session).frequency == wanted
        assert make.events(session)[-1] == (event, "weekly-news")


def test_a_cap_leaves_status_pause_and_the_other_topics_alone(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "weekly-news", "offers")
        make.less(session, Pause.ONE_MONTH)
        before = capture(_ada(session), make.TARGETS)
        make.less(session, Frequency.MONTHLY)
        after = capture(_ada(session), make.TARGETS)
        weekly = before["topic:weekly-news"] or {}
        assert after == before | {"topic:weekly-news": {**weekly, "frequency": "monthly"}}


def test_the_same_wish_twice_writes_nothing_and_mails_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        for choice in (Frequency.MONTHLY, Pause.THREE_MONTHS):
            first = make.less(session, choice, notice_delay=HOUR)
            again = make.less(session, choice, at=LATER, notice_delay=HOUR)
            assert (first.changed, again.changed) == (True, False)
            assert session.query(OutboxRow).one().last_seq == first.last_seq
        assert len(make.events(session)) == 3


def _unconfirmed(session: Session) -> None:
    make.reader(session, status=Status.UNCONFIRMED)


def _left(session: Session) -> None:
    make.reader(session)
    make.stop(session)


def _left_everything(session: Session) -> None:
    make.reader(session)
    make.stop(session, slug=None)


def _bounced(session: Session) -> None:
    make.reader(session)
    make.stop(session, slug=None, scope=Scope.ADDRESS, source="bounce")


def _archived(session: Session) -> None:
    make.reader(session)
    topics.archive(topics.get(session, "weekly-news"), make.NOW)


def _erased(session: Session) -> None:
    make.reader(session)
    erasure.erase(session, make.person(), Source.CLI, make.NOW)


def _never_seen(session: Session) -> None:
    make.topic(session)


GETS_NOTHING = [
    _unconfirmed,
    _left,
    _left_everything,
    _bounced,
    _archived,
    _erased,
    _never_seen,
]


@pytest.mark.parametrize("happened", GETS_NOTHING)
def test_who_gets_nothing_can_ask_for_no_less_and_no_more(
    database: Database, happened: Any
) -> None:
    with database.transaction() as session:
        happened(session)
        before = capture(_ada(session), make.TARGETS)
        seq = _ada(session).seq
        for choice in EVERY_CHOICE:
            assert not make.less(session, choice, at=LATER).changed
        assert not _cap(session, Frequency.MONTHLY, at=LATER).changed
        assert not _resume(session, at=LATER).changed
        assert capture(_ada(session), make.TARGETS) == before
        assert _ada(session).seq == seq


def test_who_never_chose_can_ask_for_less_where_silence_allows(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        assert not make.less(session, Frequency.EVERY).changed
        assert make.less(session, Frequency.MONTHLY).changed
        held = _gets(session)
        assert (held.status, held.frequency, held.source) == ("subscribed", "monthly", "page")
        assert held.consent_at is None, "asking for less is not consent"
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
def test_a_pause_ends_as_a_day_begins(today: str, length: Pause, ends: str, hour: str) -> None:
    now = datetime.fromisoformat(f"{today}T{hour}+00:00")
    assert subscriptions.paused_until(length, now).isoformat() == f"{ends}T00:00:00+00:00"


def test_the_days_of_a_pause_are_those_of_utc() -> None:
    now = datetime.fromisoformat("2026-11-30T23:30:00-05:00")
    assert subscriptions.paused_until(Pause.ONE_MONTH, now) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_pause_keeps_the_cap_and_is_in_the_ledger(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session).subscriptions["weekly-news"].frequency = Frequency.WEEKLY
        assert make.less(session, Pause.ONE_MONTH).changed
        held = _gets(session)
        assert (held.status, held.frequency) == ("subscribed", "weekly")
        assert held.paused_until == datetime(2026, 12, 22, tzinfo=UTC)
        assert make.events(session)[-1] == ("paused", "weekly-news")


def test_a_longer_pause_stays(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, Pause.THREE_MONTHS)
        until = _gets(session).paused_until
        assert not make.less(session, Pause.TWO_WEEKS, at=LATER).changed
        assert _gets(session).paused_until == until


def test_a_longer_pause_replaces_a_shorter_one(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, Pause.TWO_WEEKS)
        assert make.less(session, Pause.ONE_MONTH, at=LATER).changed
        assert _gets(session).paused_until == subscriptions.paused_until(Pause.ONE_MONTH, LATER)


def test_a_pause_that_has_ended_can_be_followed_by_another(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, Pause.THREE_MONTHS)
        later = make.NOW + 100 * DAY
        assert make.less(session, Pause.TWO_WEEKS, at=later).changed
        assert _gets(session).paused_until == subscriptions.paused_until(Pause.TWO_WEEKS, later)


def test_resuming_ends_a_pause_and_nothing_else(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, Frequency.MONTHLY)
        make.less(session, Pause.ONE_MONTH)
        assert _resume(session, at=LATER).changed
        assert (_gets(session).paused_until, _gets(session).frequency) == (None, "monthly")
        assert make.events(session)[-1] == ("resumed", "weekly-news")
        assert not _resume(session, at=LATER).changed


def test_there_is_nothing_to_resume_when_a_pause_has_ended(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, Pause.TWO_WEEKS)
        until = _gets(session).paused_until
        assert until is not None
        assert not _resume(session, at=until).changed
        assert _resume(session, at=until - timedelta(minutes=1)).changed


def test_a_stop_ends_a_pause(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, Pause.THREE_MONTHS)
        make.stop(session)
        assert _gets(session).paused_until is None
