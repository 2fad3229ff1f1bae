"""What a receipt tells, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import erasure, reasons, receipts, subscribers, subscriptions, topics
from preference_center.core.change import ChangeResult
from preference_center.core.undo import UNDO_DAYS
from preference_center.core.vocab import Frequency, Pause, ReasonCode, Source
from preference_center.store import Database
from tests.support import make

QUIET = timedelta(minutes=2)


def _shown_receipt(
    session: Session, first: int, last: int, now: datetime = make.NOW
) -> receipts.ShownReceipt | None:
    ada = subscribers.find(session, make.person())
    return receipts.read(session, ada, first, last, "en", now)


def _read(
    database: Database, first: int, last: int, now: datetime = make.NOW
) -> receipts.ShownReceipt:
    with database.reading() as session:
        shown = _shown_receipt(session, first, last, now)
        assert shown is not None
        return shown


def test_it_tells_what_was_left(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, notice_delay=QUIET)
    shown = _read(database, stop.last_seq, stop.last_seq)
    (change,) = shown.changes
    assert change.topic is not None
    assert (change.kind, change.topic.name, change.at) == ("left", "Weekly news", make.NOW)
    assert (shown.state, shown.notice_pending) == ("active", True)
    assert shown.undo_until == make.NOW + UNDO_DAYS


def test_it_tells_of_everything(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, slug=None)
    shown = _read(database, stop.last_seq, stop.last_seq)
    assert [(change.kind, change.topic) for change in shown.changes] == [("left", None)]
    assert shown.preferences.received == []


def test_it_tells_that_it_was_undone_and_the_undo_tells_of_coming_back(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        first, last = make.stop(session), make.stop(session, slug="offers")
        undone = make.undo(session, first.last_seq, last.last_seq)
    assert _read(database, first.last_seq, last.last_seq).state == "undone"
    back = _read(database, undone.first_seq, undone.last_seq)
    assert [change.kind for change in back.changes] == ["back", "back"]
    assert len(back.preferences.received) == 2


@pytest.mark.parametrize(
    ("source", "days", "state"),
    [("page", 30, "active"), ("one-click", 31, "expired")],
)
def test_its_state_says_whether_undo_is_offered(
    database: Database, source: Source, days: int, state: str
) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, source=source)
    now = make.NOW + timedelta(days=days)
    assert _read(database, stop.last_seq, stop.last_seq, now).state == state


def test_a_newer_stop_supersedes_it(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        make.stop(session, slug=None)
    assert _read(database, stop.last_seq, stop.last_seq).state == "superseded"


def test_there_is_none_where_all_cancelled_out(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        last = make.undo(session, stop.last_seq, stop.last_seq)
        assert _shown_receipt(session, stop.last_seq, last.last_seq) is None


def test_there_is_none_for_what_was_not_the_persons_own_act(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, source="complaint")
        assert _shown_receipt(session, stop.last_seq, stop.last_seq) is None


def test_there_is_none_after_erasure(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        erasure.erase(session, make.person(), Source.CLI, make.NOW)
        assert _shown_receipt(session, stop.last_seq, stop.last_seq) is None


def test_there_is_none_for_rows_never_written(database: Database) -> None:
    with database.reading() as session:
        assert _shown_receipt(session, 1, 9_999_999_999) is None


def _shown(database: Database, result: ChangeResult) -> list[tuple[str, str | None]]:
    changes = _read(database, result.first_seq, result.last_seq).changes
    return [(each.kind, each.topic.slug if each.topic else None) for each in changes]


def test_it_tells_how_much_less_comes(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session).subscriptions["weekly-news"].frequency = Frequency.WEEKLY
        less = make.less(session, Frequency.MONTHLY)
    (change,) = _read(database, less.first_seq, less.last_seq).changes
    assert (change.kind, change.was, change.frequency) == ("fewer", "weekly", "monthly")


def test_it_tells_until_when_nothing_comes(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        less = make.less(session, Pause.TWO_WEEKS)
    (change,) = _read(database, less.first_seq, less.last_seq).changes
    assert (change.kind, change.paused_until) == ("paused", datetime(2026, 12, 6, tzinfo=UTC))


def test_it_tells_of_more(database: Database) -> None:
    with database.transaction() as session:
        ada = make.reader(session)
        ada.subscriptions["weekly-news"].frequency = Frequency.MONTHLY
        topic = topics.get(session, "weekly-news")
        more = subscriptions.set_frequency(session, ada, topic, Frequency.EVERY, make.context())
        make.less(session, Pause.ONE_MONTH)
        resumed = subscriptions.resume(session, ada, topic, make.context())
    assert _shown(database, more) == [("more", "weekly-news")]
    assert _shown(database, resumed) == [("resumed", "weekly-news")]


def test_it_tells_of_less_where_silence_gave_every_mail(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        less = make.less(session, Frequency.MONTHLY)
    (change,) = _read(database, less.first_seq, less.last_seq).changes
    assert (change.kind, change.was, change.frequency) == ("fewer", "every", "monthly")


def test_to_join_after_leaving_everything_tells_of_the_joined_topic_alone(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        make.stop(session, slug=None)
        joined = make.join(session)
    assert _shown(database, joined) == [("joined", "weekly-news")]
    shown = _read(database, joined.first_seq, joined.last_seq)
    assert [topic.slug for topic in shown.preferences.received] == ["weekly-news"]
    assert (shown.state, shown.reason_for) == ("active", None)


def test_to_leave_everything_and_join_one_at_once_tells_what_ended(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, "never-had")
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        stop = make.stop(session, slug=None)
        joined = make.join(session)
    shown = _read(database, stop.first_seq, joined.last_seq)
    assert [(each.kind, each.topic and each.topic.slug) for each in shown.changes] == [
        ("left", "offers")
    ]
    assert shown.reason_for == stop.last_seq


def test_to_join_one_topic_and_leave_it_again_is_not_to_come_back(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, "never-had")
        make.reader(session)
        make.stop(session, slug=None)
        joined = make.join(session)
        left = make.stop(session)
    shown = _read(database, joined.first_seq, left.last_seq)
    assert [(each.kind, each.topic and each.topic.slug) for each in shown.changes] == [
        ("left", "weekly-news")
    ]


def test_to_join_what_was_left_before_and_leave_it_again_tells_nothing(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session)
        make.stop(session, slug=None)
        joined = make.join(session)
        left = make.stop(session)
    with database.reading() as session:
        told = _shown_receipt(session, joined.first_seq, left.last_seq)
        assert told is None


def test_a_newer_choice_supersedes_it_and_undo_says_so(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        less = make.less(session, Frequency.MONTHLY)
        undone = make.undo(session, less.first_seq, less.last_seq)
    assert _read(database, less.first_seq, less.last_seq).state == "undone"
    assert _shown(database, undone) == [("back", "weekly-news")]
    with database.transaction() as session:
        make.less(session, Pause.TWO_WEEKS)
    assert _read(database, less.first_seq, less.last_seq).state == "superseded"


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_who_left_is_asked_why_once(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        make.reader(session)
        less = make.less(session, Frequency.MONTHLY)
        stop = make.stop(session, slug=slug)
    shown = _read(database, less.first_seq, stop.last_seq)
    assert (shown.reason_for, shown.reason) == (stop.last_seq, None)
    with database.transaction() as session:
        reasons.record(session, make.person(), stop.last_seq, ReasonCode.TOO_MANY, "", make.NOW)
    assert _read(database, less.first_seq, stop.last_seq).reason == "too_many"


def test_who_asked_for_less_or_came_back_is_not_asked_why(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        less = make.less(session, Frequency.MONTHLY)
        stop = make.stop(session)
        back = make.undo(session, stop.first_seq, stop.last_seq)
    assert _read(database, less.first_seq, less.last_seq).reason_for is None
    assert _read(database, back.first_seq, back.last_seq).reason_for is None


def test_a_reason_answers_the_last_leave_that_was_the_persons_own(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers", "events")
        first = make.stop(session)
        last = make.stop(session, slug="offers")
        make.stop(session, slug="events", source="complaint")
    assert _read(database, first.first_seq, last.last_seq + 1).reason_for == last.last_seq
