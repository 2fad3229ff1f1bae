"""Undo of each kind of change: it restores exactly what was, unless something newer was said."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import (
    ledger,
    preferences,
    snapshots,
    subscribers,
    subscriptions,
    topics,
)
from preference_center.core.change import ADDRESS, ALL, ChangeResult, Target
from preference_center.core.errors import UndoSupersededError
from preference_center.core.vocab import Frequency, Pause, Scope
from preference_center.store import Database
from tests.support import make


def _reads(session: Session) -> None:
    make.topic(session, "silence", policy="opt_out")
    make.topic(session, "never-had")
    ada = make.reader(session, "ada@example.org", "weekly-news", "offers")
    ada.subscriptions["weekly-news"].acquired_from = "the fair"
    ada.subscriptions["weekly-news"].frequency = Frequency.WEEKLY


def _paused(session: Session) -> None:
    _reads(session)
    make.less(session, Pause.ONE_MONTH)


def _left(session: Session) -> None:
    _reads(session)
    make.stop(session)


def _left_everything(session: Session) -> None:
    _left(session)
    make.stop(session, slug=None)


def _lift_the_cap(session: Session) -> ChangeResult:
    ada = subscribers.lock(session, make.person(), make.NOW)
    topic = topics.get(session, "weekly-news")
    return subscriptions.set_frequency(session, ada, topic, Frequency.EVERY, make.context())


def _resume(session: Session) -> ChangeResult:
    ada = subscribers.lock(session, make.person(), make.NOW)
    return subscriptions.resume(session, ada, topics.get(session, "weekly-news"), make.context())


Before = Callable[[Session], None]
Change = Callable[[Session], ChangeResult]
KINDS: list[tuple[Before, Change]] = [
    (_reads, lambda session: make.less(session, Frequency.MONTHLY)),
    (_reads, lambda session: make.less(session, Frequency.WEEKLY, slug="silence")),
    (_reads, _lift_the_cap),
    (_reads, lambda session: make.less(session, Pause.THREE_MONTHS)),
    (_reads, lambda session: make.less(session, Pause.TWO_WEEKS, slug="silence")),
    (_paused, lambda session: make.less(session, Pause.THREE_MONTHS)),
    (_paused, _resume),
    (_paused, make.stop),
    (_reads, lambda session: make.join(session, slug="never-had")),
    (_left, make.join),
    (_left_everything, make.join),
    (_left_everything, lambda session: make.join(session, slug="never-had")),
]


def _everything(session: Session) -> dict[str, Any]:
    ada = subscribers.lock(session, make.person(), make.NOW)
    targets = [Target.of(topic.slug) for topic in topics.list_topics(session)]
    return snapshots.capture(ada, [*targets, ALL, ADDRESS])


@pytest.mark.parametrize(("before", "change"), KINDS)
def test_undo_of_each_kind_restores_exactly_what_was(
    database: Database, before: Before, change: Change
) -> None:
    with database.transaction() as session:
        before(session)
        was = _everything(session)
    with database.transaction() as session:
        made = change(session)
        assert made.changed
        assert _everything(session) != was
    with database.transaction() as session:
        undone = make.undo(session, made.first_seq, made.last_seq)
        assert {event for event, _ in make.events(session)[made.last_seq :]} == {"undone"}
        assert not make.undo(session, made.first_seq, made.last_seq).changed
        assert undone.last_seq - made.last_seq == made.last_seq - made.first_seq + 1
    with database.transaction() as session:
        assert _everything(session) == was
        assert list(ledger.verify(session)) == [None]


@pytest.mark.parametrize(("before", "change"), KINDS)
@pytest.mark.parametrize("scope", ["all", "address"])
def test_no_kind_can_be_undone_after_a_newer_stop(
    database: Database, before: Before, change: Change, scope: Scope
) -> None:
    with database.transaction() as session:
        before(session)
        made = change(session)
        make.stop(session, slug=None, scope=scope, source="bounce")
        now = _everything(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, made.first_seq, made.last_seq)
        assert _everything(session) == now


@pytest.mark.parametrize(("before", "change"), KINDS)
def test_no_kind_can_be_undone_after_a_newer_choice_of_the_same(
    database: Database, before: Before, change: Change
) -> None:
    with database.transaction() as session:
        before(session)
        made = change(session)
        slug = make.events(session)[made.last_seq - 1][1]
        assert slug is not None
        newer = make.less(session, Pause.THREE_MONTHS, slug=slug, at=make.NOW + timedelta(days=20))
        newer = newer if newer.changed else make.join(session, slug=slug)
        now = _everything(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, made.first_seq, made.last_seq)
        assert _everything(session) == now
        assert make.undo(session, newer.first_seq, newer.last_seq).changed


@pytest.mark.parametrize(("before", "change"), KINDS[:-2])
def test_undo_of_one_topic_leaves_a_newer_choice_of_another_alone(
    database: Database, before: Before, change: Change
) -> None:
    with database.transaction() as session:
        before(session)
        was = _everything(session)
        made = change(session)
        make.less(session, Frequency.MONTHLY, slug="offers")
        assert make.undo(session, made.first_seq, made.last_seq).changed
        assert _everything(session)["topic:offers"]["frequency"] == "monthly"
        assert {**_everything(session), "topic:offers": was["topic:offers"]} == was


def test_to_have_joined_cannot_be_undone_when_what_stayed_off_was_joined_since(
    database: Database,
) -> None:
    with database.transaction() as session:
        _left_everything(session)
        joined = make.join(session)
        make.join(session, slug="offers")
        with pytest.raises(UndoSupersededError):
            make.undo(session, joined.first_seq, joined.last_seq)


def test_to_have_joined_cannot_be_undone_when_what_was_left_before_was_joined_since(
    database: Database,
) -> None:
    with database.transaction() as session:
        _left_everything(session)
        joined = make.join(session, slug="never-had")
        make.join(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, joined.first_seq, joined.last_seq)
        ada = subscribers.lock(session, make.person(), make.NOW)
        assert preferences.receives(ada, topics.get(session, "weekly-news"))


def test_undo_of_a_cap_brings_back_a_pause_that_stood_beside_it(database: Database) -> None:
    with database.transaction() as session:
        _paused(session)
        was = _everything(session)
        made = make.less(session, Frequency.MONTHLY)
        make.undo(session, made.first_seq, made.last_seq)
        assert _everything(session) == was


def test_an_undo_can_be_undone(database: Database) -> None:
    with database.transaction() as session:
        _reads(session)
        made = make.less(session, Frequency.MONTHLY)
        then = _everything(session)
        undone = make.undo(session, made.first_seq, made.last_seq)
        assert make.undo(session, undone.first_seq, undone.last_seq).changed
        assert _everything(session) == then
