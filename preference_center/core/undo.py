"""Undo: put back exactly what was, as long as nothing newer was said about it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import ledger
from preference_center.core.consent import ChangeContext, ChangeResult, record
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.outbox import OWN_SOURCES
from preference_center.core.snapshots import capture, find, matches, restore, topic_of
from preference_center.store.tables import Subscriber, Topic

UNDO_DAYS = timedelta(days=30)


def undo(
    session: Session, subscriber: Subscriber, first: int, last: int, context: ChangeContext
) -> ChangeResult:
    """Put back what was before the person's own rows `first` to `last`, or raise UndoRefusal.

    Each thing put back has a row of its own, so that who asks for one topic's rows sees all that
    touched it; the campaign is that of what is undone. Undoing what is undone already succeeds
    and changes nothing.
    """
    before = _what_was(session, subscriber, first, last, context.recorded_at)
    context = replace(context, campaign=_campaign(session, subscriber, first, last))
    changed = [key for key in before if not matches(capture(subscriber, [key]), {key: before[key]})]
    rows = [_put_back(session, subscriber, key, before[key], context).last_seq for key in changed]
    if not rows:
        return ChangeResult(changed=False, first_seq=first, last_seq=last)
    return ChangeResult(changed=True, first_seq=rows[0], last_seq=rows[-1])


def _campaign(session: Session, subscriber: Subscriber, first: int, last: int) -> str | None:
    """Return the mailing that led to what is undone: a report counts both under it."""
    rows = (change.row for change in ledger.changes(session, subscriber.subscriber_id, first))
    return next((row.campaign for row in rows if row.seq <= last and row.campaign), None)


def is_undone(
    session: Session, subscriber: Subscriber, first: int, last: int, now: datetime
) -> bool:
    """Tell whether the rows `first` to `last` are undone already; raise as `undo` would."""
    before = _what_was(session, subscriber, first, last, now)
    return matches(capture(subscriber, before), before)


def undo_until(recorded_at: datetime) -> datetime:
    """Return the last day of undo: all of that day counts, as the page says."""
    return recorded_at + UNDO_DAYS


def _what_was(
    session: Session, subscriber: Subscriber, first: int, last: int, now: datetime
) -> dict[str, Any]:
    """Return what stood under each key before, or raise UndoRefusal."""
    changes = ledger.changes(session, subscriber.subscriber_id, first)
    run = [change for change in changes if change.row.seq <= last]
    own = [change for change in run if _is_own(change)]
    before: dict[str, Any] = {}
    for change in reversed(own):
        before.update(change.before or {})
    _refuse_what_is_not_theirs(run, own, before, now)
    if matches(capture(subscriber, before), before):
        return before
    others = (each for each in changes if each.row.seq > last or not _is_own(each))
    if any(_touches(change, before) for change in others):
        raise UndoSupersededError("a newer choice, or somebody else's, came after this one")
    if any(_was_said_again(subscriber, key) for key in before):
        raise UndoNotOfferedError("the stop was said again since, elsewhere")
    return before


def _refuse_what_is_not_theirs(
    run: list[ledger.Change], own: list[ledger.Change], before: dict[str, Any], now: datetime
) -> None:
    if run and not own:
        raise UndoNotOfferedError("this was not the person's own choice")
    if not before:
        raise UndoSupersededError("what was changed is no longer on record")
    if now.date() > undo_until(own[-1].row.recorded_at).date():
        raise UndoTooLateError("the days of undo are over")


def _put_back(
    session: Session, subscriber: Subscriber, key: str, value: Any, context: ChangeContext
) -> ChangeResult:
    slug = topic_of(key)
    now_state = capture(subscriber, [key])
    restore(subscriber, key, value, context.recorded_at)
    topic = session.get_one(Topic, slug) if slug is not None else None
    scope = "topic" if slug is not None else key
    return record(session, subscriber, "undone", scope, topic, context, now_state)


def _is_own(change: ledger.Change) -> bool:
    return change.row.source in OWN_SOURCES


def _touches(change: ledger.Change, before: Mapping[str, Any]) -> bool:
    """Tell whether a change touched one of the same things, or everything with them.

    A stop of everything that would come back would end whatever was joined since.
    """
    lifted = change.row.event in {"undone", "resubscribed", "lifted"}
    stopped_everything = change.row.scope != "topic" and not lifted
    joined = _is_own(change) and change.row.event in {"subscribed", "resubscribed"}
    ends_it = joined and before.get("all") is not None
    return stopped_everything or ends_it or not before.keys().isdisjoint(change.after or ())


def _was_said_again(subscriber: Subscriber, key: str) -> bool:
    row = find(subscriber, key)
    return row is not None and row.repeated_at is not None
