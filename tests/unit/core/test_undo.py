"""Undo restores the exact previous state, and is refused if a newer choice was made."""

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
from preference_center.store.tables import OutboxRow
from tests.support import make


def _state(database: Database) -> dict[str, Any]:
    with database.reading() as session:
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        return snapshots.capture(ada, make.TARGETS)


@pytest.mark.parametrize("slug", ["weekly-news", "offers", "new-topic", None])
def test_undo_restores_every_column(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.MONTHLY, acquired_from="the fair")
    before = _state(database)
    with database.transaction() as session:
        unsubscribe = make.unsubscribe(session, slug=slug)
    with database.transaction() as session:
        assert make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq).changed
    assert _state(database) == before


def test_undo_restores_the_change_time_and_sets_the_update_time(database: Database) -> None:
    later = make.NOW + timedelta(hours=1)
    with database.transaction() as session:
        make.subscriber(session, since=make.NOW - timedelta(days=9))
        unsubscribe = make.unsubscribe(session)
        make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq, at=later)
        subscription = make.found(session).subscriptions["weekly-news"]
    assert subscription.updated_at == later
    assert subscription.changed_at == make.NOW - timedelta(days=9)


def test_undo_of_several_changes_restores_all_of_them(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    before = _state(database)
    with database.transaction() as session:
        first = make.unsubscribe(session)
        make.unsubscribe(session, slug="offers")
        last = make.unsubscribe(session, slug=None)
    with database.transaction() as session:
        make.undo(session, first.last_seq, last.last_seq)
    assert _state(database) == before


def test_each_restored_topic_has_a_ledger_row(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        first = make.unsubscribe(session)
        last = make.unsubscribe(session, slug="offers")
        result = make.undo(session, first.last_seq, last.last_seq)
        assert set(make.events(session)[-2:]) == {("undone", "weekly-news"), ("undone", "offers")}
        assert (result.first_seq, result.last_seq) == (last.last_seq + 1, last.last_seq + 2)


def test_a_repeated_undo_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        first = make.unsubscribe(session)
        last = make.unsubscribe(session, slug="offers")
        once = make.undo(session, first.last_seq, last.last_seq)
        repeat = make.undo(
            session, first.last_seq, last.last_seq, at=make.NOW + timedelta(minutes=1)
        )
        assert not repeat.changed
        assert make.events(session)[once.last_seq :] == []


def test_an_undo_and_a_new_unsubscribe_fit_into_one_transaction(database: Database) -> None:
    with database.transaction() as session:
        unsubscribe = make.unsubscribe(session, slug=None)
        make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)
        make.unsubscribe(session, slug=None, at=make.NOW + timedelta(minutes=1))
    assert _state(database)["all"]["since"] == "2026-11-22T14:06:00+00:00"


def test_an_old_receipt_cannot_undo_a_newer_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)
        make.unsubscribe(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)


@pytest.mark.parametrize("scope", ["all", "address"])
def test_undo_is_refused_after_a_suppression(database: Database, scope: Scope) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        make.unsubscribe(session, slug=None, scope=scope, source="bounce")
        with pytest.raises(UndoSupersededError):
            make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)


def test_undo_of_a_global_unsubscribe_keeps_a_newer_topic_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        global_unsubscribe = make.unsubscribe(session, slug=None)
        make.unsubscribe(session)
        make.undo(session, global_unsubscribe.last_seq, global_unsubscribe.last_seq)
    state = _state(database)
    assert state["all"] is None
    assert state["topic:weekly-news"]["status"] == "unsubscribed"


@pytest.mark.parametrize("source", ["complaint", "bounce", "console", "api", "cli", "import"])
def test_only_the_subscribers_own_unsubscribe_can_be_undone(
    database: Database, source: Source
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session, source=source)
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)


def test_undo_ends_with_the_thirtieth_day(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        late = make.NOW + timedelta(days=31)
        with pytest.raises(UndoTooLateError):
            make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq, at=late)
        assert make.undo(
            session,
            unsubscribe.last_seq,
            unsubscribe.last_seq,
            at=make.NOW + timedelta(days=30, hours=9),
        ).changed


def test_missing_rows_cannot_be_undone(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, 7, 9)


def test_undo_of_a_topic_without_change_notices_sends_no_email(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, change_notices=False)
        make.subscriber(session)
        delay = timedelta(minutes=2)
        unsubscribe = make.unsubscribe(session, notice_delay=delay)
        make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq, notice_delay=delay)
        assert session.query(OutboxRow).count() == 0
