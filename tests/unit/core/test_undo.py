"""Undo puts back exactly what was, and is refused where that would override something newer."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import snapshots, subscribers
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.vocab import Frequency, Scope, Source
from preference_center.store import Database
from preference_center.store.tables import OutboxRow, row_values
from tests.support import make


def _state(database: Database) -> dict[str, Any]:
    with database.reading() as session:
        ada = subscribers.find(session, make.person())
        assert ada is not None
        return snapshots.capture(ada, make.TARGETS)


@pytest.mark.parametrize("slug", ["weekly-news", "offers", "new-topic", None])
def test_undo_restores_every_column(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        ada = make.reader(session)
        ada.subscriptions["weekly-news"].frequency = Frequency.MONTHLY
        ada.subscriptions["weekly-news"].acquired_from = "the fair"
    before = _state(database)
    with database.transaction() as session:
        stop = make.stop(session, slug=slug)
    with database.transaction() as session:
        assert make.undo(session, stop.last_seq, stop.last_seq).changed
    assert _state(database) == before


def test_what_undo_restores_is_exported_as_changed(database: Database) -> None:
    later = make.NOW + timedelta(hours=1)
    with database.transaction() as session:
        ada = make.reader(session, since=make.NOW - timedelta(days=9))
        stop = make.stop(session)
        make.undo(session, stop.last_seq, stop.last_seq, at=later)
        values = row_values(ada.subscriptions["weekly-news"])
    assert values["updated_at"] == later
    assert values["changed_at"] == make.NOW - timedelta(days=9)


def test_undo_of_several_changes_restores_all_of_them(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
    before = _state(database)
    with database.transaction() as session:
        first = make.stop(session)
        make.stop(session, slug="offers")
        last = make.stop(session, slug=None)
    with database.transaction() as session:
        make.undo(session, first.last_seq, last.last_seq)
    assert _state(database) == before


def test_each_thing_put_back_has_a_ledger_row(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        first = make.stop(session)
        last = make.stop(session, slug="offers")
        result = make.undo(session, first.last_seq, last.last_seq)
        assert set(make.events(session)[-2:]) == {("undone", "weekly-news"), ("undone", "offers")}
        assert (result.first_seq, result.last_seq) == (last.last_seq + 1, last.last_seq + 2)


def test_undo_twice_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "weekly-news", "offers")
        first = make.stop(session)
        last = make.stop(session, slug="offers")
        once = make.undo(session, first.last_seq, last.last_seq)
        again = make.undo(
            session, first.last_seq, last.last_seq, at=make.NOW + timedelta(minutes=1)
        )
        assert not again.changed
        assert make.events(session)[once.last_seq :] == []


def test_undo_and_stop_again_in_one_transaction(database: Database) -> None:
    with database.transaction() as session:
        stop = make.stop(session, slug=None)
        make.undo(session, stop.last_seq, stop.last_seq)
        make.stop(session, slug=None, at=make.NOW + timedelta(minutes=1))
    assert _state(database)["all"]["since"] == "2026-11-22T14:06:00+00:00"


def test_an_old_receipt_cannot_undo_a_newer_stop(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        make.undo(session, stop.last_seq, stop.last_seq)
        make.stop(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, stop.last_seq, stop.last_seq)


@pytest.mark.parametrize("scope", ["all", "address"])
def test_undo_is_refused_after_everything_was_stopped(database: Database, scope: Scope) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        make.stop(session, slug=None, scope=scope, source="bounce")
        with pytest.raises(UndoSupersededError):
            make.undo(session, stop.last_seq, stop.last_seq)


def test_undo_of_everything_keeps_a_topic_left_since(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        everything = make.stop(session, slug=None)
        make.stop(session)
        make.undo(session, everything.last_seq, everything.last_seq)
    state = _state(database)
    assert state["all"] is None
    assert state["topic:weekly-news"]["status"] == "unsubscribed"


@pytest.mark.parametrize("source", ["complaint", "bounce", "console", "api", "cli", "import"])
def test_only_the_persons_own_stop_can_be_undone(database: Database, source: Source) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session, source=source)
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, stop.last_seq, stop.last_seq)


def test_undo_is_over_when_the_thirtieth_day_is(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        late = make.NOW + timedelta(days=31)
        with pytest.raises(UndoTooLateError):
            make.undo(session, stop.last_seq, stop.last_seq, at=late)
        assert make.undo(
            session, stop.last_seq, stop.last_seq, at=make.NOW + timedelta(days=30, hours=9)
        ).changed


def test_rows_that_are_not_there_cannot_be_undone(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, 7, 9)


def test_undo_of_a_topic_that_confirms_nothing_sends_no_mail(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, change_notices=False)
        make.reader(session)
        quiet = timedelta(minutes=2)
        stop = make.stop(session, notice_delay=quiet)
        make.undo(session, stop.last_seq, stop.last_seq, notice_delay=quiet)
        assert session.query(OutboxRow).count() == 0
