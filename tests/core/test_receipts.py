"""What a receipt tells, and for how long."""

from datetime import datetime, timedelta

import pytest

from preference_center.core import consent, erasure, receipts
from preference_center.core.undo import UNDO_DAYS
from preference_center.store import Database
from tests import make

QUIET = timedelta(minutes=2)


def _read(
    database: Database, first: int, last: int, now: datetime = make.NOW
) -> receipts.ShownReceipt:
    with database.reading() as session:
        shown = receipts.read(session, make.person(), first, last, "en", now)
        assert shown is not None
        return shown


def test_it_tells_what_was_left(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, confirm_after=QUIET)
    shown = _read(database, stop.seq, stop.seq)
    (change,) = shown.changes
    assert change.topic is not None
    assert (change.kind, change.topic.name, change.at) == ("left", "Weekly news", make.NOW)
    assert (shown.state, shown.confirming) == ("standing", True)
    assert shown.undo_until == make.NOW + UNDO_DAYS


def test_it_tells_of_everything(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, slug=None)
    shown = _read(database, stop.seq, stop.seq)
    assert [(change.kind, change.topic) for change in shown.changes] == [("left", None)]
    assert shown.standing.received == []


def test_it_tells_that_it_was_undone_and_the_undo_tells_of_coming_back(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        first, last = make.stop(session), make.stop(session, slug="offers")
        undone = make.undo(session, first.seq, last.seq)
    assert _read(database, first.seq, last.seq).state == "undone"
    back = _read(database, undone.first, undone.seq)
    assert [change.kind for change in back.changes] == ["back", "back"]
    assert len(back.standing.received) == 2


@pytest.mark.parametrize(
    ("source", "days", "state"),
    [("page", 30, "standing"), ("one-click", 31, "expired")],
)
def test_its_state_says_whether_undo_is_offered(
    database: Database, source: consent.Source, days: int, state: str
) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, source=source)
    now = make.NOW + timedelta(days=days)
    assert _read(database, stop.seq, stop.seq, now).state == state


def test_a_newer_stop_supersedes_it(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        make.stop(session, slug=None)
    assert _read(database, stop.seq, stop.seq).state == "superseded"


def test_there_is_none_where_all_cancelled_out(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        last = make.undo(session, stop.seq, stop.seq)
        assert receipts.read(session, make.person(), stop.seq, last.seq, "en", make.NOW) is None


def test_there_is_none_for_what_was_not_the_persons_own_act(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, source="complaint")
        assert receipts.read(session, make.person(), stop.seq, stop.seq, "en", make.NOW) is None


def test_there_is_none_after_erasure(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        erasure.erase(session, make.person(), "cli", make.NOW)
        assert receipts.read(session, make.person(), stop.seq, stop.seq, "en", make.NOW) is None


def test_there_is_none_for_rows_never_written(database: Database) -> None:
    with database.reading() as session:
        assert receipts.read(session, make.person(), 1, 9_999_999_999, "en", make.NOW) is None
