"""Receipts: what they show, and for how long."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from preference_center.core import erasure, reasons, receipts, subscribers
from preference_center.core.change import ChangeResult
from preference_center.core.errors import UndoTooLateError
from preference_center.core.undo import UNDO_DAYS
from preference_center.core.vocab import Frequency, Pause, ReasonCode, Source
from preference_center.store import Database
from tests.support import make

NOTICE_DELAY = timedelta(minutes=2)


def _shown_receipt(
    session: Session, first: int, last: int, now: datetime = make.NOW, zone: tzinfo = UTC
) -> receipts.ShownReceipt | None:
    ada = subscribers.find(session, make.id_of())
    return receipts.read(session, ada, first, last, "en", now, zone)


def _read(
    database: Database, first: int, last: int, now: datetime = make.NOW
) -> receipts.ShownReceipt:
    with database.reading() as session:
        shown = _shown_receipt(session, first, last, now)
        assert shown is not None
        return shown


def test_a_receipt_shows_the_unsubscribed_topic(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, notice_delay=NOTICE_DELAY)
    shown = _read(database, unsubscribe.last_seq, unsubscribe.last_seq)
    (change,) = shown.changes
    assert change.topic is not None
    assert (change.kind, change.topic.name, change.at) == ("left", "Weekly news", make.NOW)
    assert (shown.state, shown.notice_pending) == ("active", True)
    assert shown.undo_until == make.NOW + UNDO_DAYS


def test_a_receipt_shows_a_global_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, slug=None)
    shown = _read(database, unsubscribe.last_seq, unsubscribe.last_seq)
    assert [(change.kind, change.topic) for change in shown.changes] == [("left", None)]
    assert shown.preferences.received == []


def test_an_undo_marks_the_receipt_and_has_a_receipt_of_its_own(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        first, last = make.unsubscribe(session), make.unsubscribe(session, slug="offers")
        undone = make.undo(session, first.last_seq, last.last_seq)
    assert _read(database, first.last_seq, last.last_seq).state == "undone"
    back = _read(database, undone.first_seq, undone.last_seq)
    assert [change.kind for change in back.changes] == ["back", "back"]
    assert len(back.preferences.received) == 2


def test_undo_lasts_until_the_end_of_the_day_that_the_page_names(database: Database) -> None:
    zone = ZoneInfo("America/New_York")
    left = datetime(2026, 10, 3, 3, 30, tzinfo=UTC)  # 2 October there, before clocks go back.
    midnight = datetime(2026, 11, 2, 5, tzinfo=UTC)  # The end of 1 November there.
    with database.transaction() as session:
        make.subscriber(session)
        row = make.unsubscribe(session, at=left).last_seq
        for now, state in ((midnight - timedelta.resolution, "active"), (midnight, "expired")):
            shown = _shown_receipt(session, row, row, now, zone)
            assert shown is not None
            assert (shown.undo_until.astimezone(zone).date(), shown.state) == (
                date(2026, 11, 1),
                state,
            )
        with pytest.raises(UndoTooLateError):
            make.undo(session, row, row, at=midnight, time_zone=zone)
        before = midnight - timedelta.resolution
        assert make.undo(session, row, row, at=before, time_zone=zone).changed


@pytest.mark.parametrize(
    ("source", "days", "state"),
    [("page", 30, "active"), ("one-click", 31, "expired")],
)
def test_a_receipt_expires_when_undo_is_no_longer_offered(
    database: Database, source: Source, days: int, state: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, source=source)
    now = make.NOW + timedelta(days=days)
    assert _read(database, unsubscribe.last_seq, unsubscribe.last_seq, now).state == state


def test_a_newer_unsubscribe_supersedes_a_receipt(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        make.unsubscribe(session, slug=None)
    assert _read(database, unsubscribe.last_seq, unsubscribe.last_seq).state == "superseded"


def test_changes_that_cancel_out_have_no_receipt(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        last = make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)
        assert _shown_receipt(session, unsubscribe.last_seq, last.last_seq) is None


def test_a_change_by_another_party_has_no_receipt(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, source="complaint")
        assert _shown_receipt(session, unsubscribe.last_seq, unsubscribe.last_seq) is None


def test_an_erased_subscriber_has_no_receipt(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
        assert _shown_receipt(session, unsubscribe.last_seq, unsubscribe.last_seq) is None


def test_missing_rows_have_no_receipt(database: Database) -> None:
    with database.reading() as session:
        assert _shown_receipt(session, 1, 9_999_999_999) is None


def _shown(database: Database, result: ChangeResult) -> list[tuple[str, str | None]]:
    changes = _read(database, result.first_seq, result.last_seq).changes
    return [(each.kind, each.topic.slug if each.topic else None) for each in changes]


def test_a_receipt_shows_a_reduced_frequency(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.WEEKLY)
        reduced = make.reduce(session, Frequency.MONTHLY)
    (change,) = _read(database, reduced.first_seq, reduced.last_seq).changes
    assert (change.kind, change.was, change.frequency) == ("fewer", "weekly", "monthly")


def test_a_receipt_shows_the_end_of_a_pause(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        reduced = make.reduce(session, Pause.TWO_WEEKS)
    (change,) = _read(database, reduced.first_seq, reduced.last_seq).changes
    assert (change.kind, change.paused_until) == ("paused", datetime(2026, 12, 6, tzinfo=UTC))


def test_a_receipt_shows_an_increase_and_a_resumption(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.MONTHLY)
        increased = make.set_frequency(session, Frequency.EVERY)
        make.reduce(session, Pause.ONE_MONTH)
        resumed = make.resume(session)
    assert _shown(database, increased) == [("more", "weekly-news")]
    assert _shown(database, resumed) == [("resumed", "weekly-news")]


def test_a_receipt_shows_a_reduction_of_an_opt_out_topic(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        reduced = make.reduce(session, Frequency.MONTHLY)
    (change,) = _read(database, reduced.first_seq, reduced.last_seq).changes
    assert (change.kind, change.was, change.frequency) == ("fewer", "every", "monthly")


def test_joining_after_a_global_unsubscribe_shows_only_that_topic(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.unsubscribe(session, slug=None)
        joined = make.start_topic(session)
    assert _shown(database, joined) == [("joined", "weekly-news")]
    shown = _read(database, joined.first_seq, joined.last_seq)
    assert [topic.slug for topic in shown.preferences.received] == ["weekly-news"]
    assert (shown.state, shown.reason_for) == ("active", None)


def test_a_global_unsubscribe_and_a_join_show_the_topic_that_ended(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, "never-had")
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        unsubscribe = make.unsubscribe(session, slug=None)
        joined = make.start_topic(session)
    shown = _read(database, unsubscribe.first_seq, joined.last_seq)
    assert [(each.kind, each.topic and each.topic.slug) for each in shown.changes] == [
        ("left", "offers")
    ]
    assert shown.reason_for == unsubscribe.last_seq


def test_joining_then_unsubscribing_shows_only_the_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, "never-had")
        make.subscriber(session)
        make.unsubscribe(session, slug=None)
        joined = make.start_topic(session)
        unsubscribe = make.unsubscribe(session)
    shown = _read(database, joined.first_seq, unsubscribe.last_seq)
    assert [(each.kind, each.topic and each.topic.slug) for each in shown.changes] == [
        ("left", "weekly-news")
    ]


def test_rejoining_then_unsubscribing_again_has_no_receipt(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        make.unsubscribe(session, slug=None)
        joined = make.start_topic(session)
        unsubscribe = make.unsubscribe(session)
    with database.reading() as session:
        receipt = _shown_receipt(session, joined.first_seq, unsubscribe.last_seq)
        assert receipt is None


def test_a_newer_choice_supersedes_an_undone_receipt(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        reduced = make.reduce(session, Frequency.MONTHLY)
        undone = make.undo(session, reduced.first_seq, reduced.last_seq)
    assert _read(database, reduced.first_seq, reduced.last_seq).state == "undone"
    assert _shown(database, undone) == [("back", "weekly-news")]
    with database.transaction() as session:
        make.reduce(session, Pause.TWO_WEEKS)
    assert _read(database, reduced.first_seq, reduced.last_seq).state == "superseded"


@pytest.mark.parametrize(("first", "then"), [("weekly-news", None), (None, "weekly-news")])
def test_leaving_something_else_supersedes_an_undone_receipt(
    database: Database, first: str | None, then: str | None
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        left = make.unsubscribe(session, slug=first)
        make.undo(session, left.first_seq, left.last_seq)
    assert _read(database, left.first_seq, left.last_seq).state == "undone"
    with database.transaction() as session:
        again = make.unsubscribe(session, slug=then)
    assert _read(database, left.first_seq, left.last_seq).state == "superseded"
    with database.transaction() as session:
        make.undo(session, again.first_seq, again.last_seq)
    assert _read(database, left.first_seq, left.last_seq).state == "undone"


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_reason_is_asked_once_after_an_unsubscribe(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        reduced = make.reduce(session, Frequency.MONTHLY)
        unsubscribe = make.unsubscribe(session, slug=slug)
    shown = _read(database, reduced.first_seq, unsubscribe.last_seq)
    assert (shown.reason_for, shown.reason) == (unsubscribe.last_seq, None)
    with database.transaction() as session:
        reasons.record(
            session, make.id_of(), unsubscribe.last_seq, ReasonCode.TOO_MANY, "", make.NOW
        )
    assert _read(database, reduced.first_seq, unsubscribe.last_seq).reason == "too_many"


def test_no_reason_is_asked_after_a_reduction_or_an_undo(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        reduced = make.reduce(session, Frequency.MONTHLY)
        unsubscribe = make.unsubscribe(session)
        back = make.undo(session, unsubscribe.first_seq, unsubscribe.last_seq)
    assert _read(database, reduced.first_seq, reduced.last_seq).reason_for is None
    assert _read(database, back.first_seq, back.last_seq).reason_for is None


def test_a_reason_belongs_to_the_subscribers_last_own_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers", "events")
        first = make.unsubscribe(session)
        last = make.unsubscribe(session, slug="offers")
        make.unsubscribe(session, slug="events", source="complaint")
    assert _read(database, first.first_seq, last.last_seq + 1).reason_for == last.last_seq
