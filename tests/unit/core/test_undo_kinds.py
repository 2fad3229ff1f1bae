"""Undo of each kind of change restores the previous state, unless a newer choice was made."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import (
    preferences,
    snapshots,
    topics,
    verification,
)
from preference_center.core.change import ADDRESS, ALL, ChangeResult, Target
from preference_center.core.errors import UndoSupersededError
from preference_center.core.vocab import Frequency, Pause, Scope
from preference_center.store import Database
from tests.support import make


def _subscribed(session: Session) -> None:
    make.topic(session, "silence", policy="opt_out")
    make.topic(session, "never-had")
    make.subscriber(session, acquired_from="the fair", frequency=Frequency.WEEKLY)
    make.subscriber(session, "ada@example.org", "offers")


def _paused(session: Session) -> None:
    _subscribed(session)
    make.reduce(session, Pause.ONE_MONTH)


def _unsubscribed(session: Session) -> None:
    _subscribed(session)
    make.unsubscribe(session)


def _unsubscribed_from_all(session: Session) -> None:
    _unsubscribed(session)
    make.unsubscribe(session, slug=None)


def _remove_cap(session: Session) -> ChangeResult:
    return make.set_frequency(session, Frequency.EVERY)


Prepare = Callable[[Session], None]
Change = Callable[[Session], ChangeResult]
KINDS: list[tuple[Prepare, Change]] = [
    (_subscribed, lambda session: make.reduce(session, Frequency.MONTHLY)),
    (_subscribed, lambda session: make.reduce(session, Frequency.WEEKLY, slug="silence")),
    (_subscribed, _remove_cap),
    (_subscribed, lambda session: make.reduce(session, Pause.THREE_MONTHS)),
    (_subscribed, lambda session: make.reduce(session, Pause.TWO_WEEKS, slug="silence")),
    (_paused, lambda session: make.reduce(session, Pause.THREE_MONTHS)),
    (_paused, make.resume),
    (_paused, make.unsubscribe),
    (_subscribed, lambda session: make.start_topic(session, slug="never-had")),
    (_unsubscribed, make.start_topic),
    (_unsubscribed_from_all, make.start_topic),
    (_unsubscribed_from_all, lambda session: make.start_topic(session, slug="never-had")),
]


def _state(session: Session) -> dict[str, Any]:
    ada = make.found(session)
    targets = [Target.of(topic.slug) for topic in topics.list_topics(session)]
    return snapshots.capture(ada, [*targets, ALL, ADDRESS])


@pytest.mark.parametrize(("prepare", "change"), KINDS)
def test_undo_of_each_kind_restores_the_previous_state(
    database: Database, prepare: Prepare, change: Change
) -> None:
    with database.transaction() as session:
        prepare(session)
        before = _state(session)
    with database.transaction() as session:
        result = change(session)
        assert result.changed
        assert _state(session) != before
    with database.transaction() as session:
        undone = make.undo(session, result.first_seq, result.last_seq)
        assert {event for event, _ in make.events(session)[result.last_seq :]} == {"undone"}
        assert not make.undo(session, result.first_seq, result.last_seq).changed
        assert undone.last_seq - result.last_seq == result.last_seq - result.first_seq + 1
    with database.transaction() as session:
        assert _state(session) == before
        assert list(verification.verify(session)) == [None]


@pytest.mark.parametrize(("prepare", "change"), KINDS)
@pytest.mark.parametrize("scope", ["all", "address"])
def test_no_kind_can_be_undone_after_a_newer_suppression(
    database: Database, prepare: Prepare, change: Change, scope: Scope
) -> None:
    with database.transaction() as session:
        prepare(session)
        result = change(session)
        make.unsubscribe(session, slug=None, scope=scope, source="bounce")
        now = _state(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, result.first_seq, result.last_seq)
        assert _state(session) == now


@pytest.mark.parametrize(("prepare", "change"), KINDS)
def test_no_kind_can_be_undone_after_a_newer_choice_for_the_topic(
    database: Database, prepare: Prepare, change: Change
) -> None:
    with database.transaction() as session:
        prepare(session)
        result = change(session)
        slug = make.events(session)[result.last_seq - 1][1]
        assert slug is not None
        newer = make.reduce(
            session, Pause.THREE_MONTHS, slug=slug, at=make.NOW + timedelta(days=20)
        )
        newer = newer if newer.changed else make.start_topic(session, slug=slug)
        now = _state(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, result.first_seq, result.last_seq)
        assert _state(session) == now
        assert make.undo(session, newer.first_seq, newer.last_seq).changed


@pytest.mark.parametrize(("prepare", "change"), KINDS[:-2])
def test_undo_of_one_topic_keeps_a_newer_choice_for_another(
    database: Database, prepare: Prepare, change: Change
) -> None:
    with database.transaction() as session:
        prepare(session)
        before = _state(session)
        result = change(session)
        make.reduce(session, Frequency.MONTHLY, slug="offers")
        assert make.undo(session, result.first_seq, result.last_seq).changed
        assert _state(session)["topic:offers"]["frequency"] == "monthly"
        assert {**_state(session), "topic:offers": before["topic:offers"]} == before


def test_a_join_cannot_be_undone_after_joining_a_topic_that_stayed_off(
    database: Database,
) -> None:
    with database.transaction() as session:
        _unsubscribed_from_all(session)
        joined = make.start_topic(session)
        make.start_topic(session, slug="offers")
        with pytest.raises(UndoSupersededError):
            make.undo(session, joined.first_seq, joined.last_seq)


def test_a_join_cannot_be_undone_after_rejoining_an_unsubscribed_topic(
    database: Database,
) -> None:
    with database.transaction() as session:
        _unsubscribed_from_all(session)
        joined = make.start_topic(session, slug="never-had")
        make.start_topic(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, joined.first_seq, joined.last_seq)
        ada = make.found(session)
        assert preferences.receives(ada, topics.get(session, "weekly-news"))


def test_undo_of_a_cap_keeps_the_pause(database: Database) -> None:
    with database.transaction() as session:
        _paused(session)
        before = _state(session)
        result = make.reduce(session, Frequency.MONTHLY)
        make.undo(session, result.first_seq, result.last_seq)
        assert _state(session) == before


def test_an_undo_can_be_undone(database: Database) -> None:
    with database.transaction() as session:
        _subscribed(session)
        result = make.reduce(session, Frequency.MONTHLY)
        after = _state(session)
        undone = make.undo(session, result.first_seq, result.last_seq)
        assert make.undo(session, undone.first_seq, undone.last_seq).changed
        assert _state(session) == after
