"""Undo changes: restore exactly the earlier state, unless a newer choice has been made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from preference_center.core import history
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.ledger import LedgerEntry
from preference_center.core.snapshots import Snapshot, Value, capture, find, matches, restore
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Event, Scope

UNDO_DAYS = timedelta(days=30)


@dataclass(frozen=True)
class Undo(Change[ChangeResult]):
    """The undo of ledger rows `first` to `last`, for `apply`."""

    first: int
    last: int
    context: ChangeContext
    needs_all_topics: ClassVar[bool] = True

    def first_row(self, subscriber: Subscriber) -> int | None:
        return self.first

    def make(self, draft: Draft) -> ChangeResult:
        return undo(draft, self.first, self.last, self.context)


def undo(draft: Draft, first: int, last: int, context: ChangeContext) -> ChangeResult:
    """Restore the state before the subscriber's own rows `first` to `last`, or raise UndoRefusal.

    Each target gets a row of its own, so that the history of one topic is complete; the campaign is
    that of the undone rows. Undoing them again succeeds and changes nothing.
    """
    entries, subscriber = [each for each in draft.entries if each.seq >= first], draft.subscriber
    before = state_before(entries, subscriber, last, context.recorded_at, context.time_zone)
    context = replace(context, campaign=_campaign(entries, last))
    changed = [Target.from_key(key) for key in before if not _is_restored(subscriber, before, key)]
    if not changed:
        return ChangeResult(changed=False, first_seq=first, last_seq=last)
    restored_from = subscriber.seq + 1
    for target in changed:
        current = draft.capture(target)
        restore(subscriber, target, before[target.key], context.recorded_at)
        draft.record(Event.UNDONE, target, context, current)
    if first <= (subscriber.explicit_from or 0) <= last:
        subscriber.explicit_from = None
    return draft.since(restored_from)


@dataclass(frozen=True)
class UndoRows(Change[bool]):
    """The undo of ledger rows `first` to `last`, whichever their source, for `apply`.

    The result is False, and nothing is changed, if `state_before_rows` is None.
    """

    first: int
    last: int
    context: ChangeContext

    def first_row(self, subscriber: Subscriber) -> int | None:
        return self.first

    def make(self, draft: Draft) -> bool:
        before = state_before_rows(draft.entries, draft.subscriber, self.first, self.last)
        if before is None:
            return False
        for target in map(Target.from_key, before):
            current = draft.capture(target)
            restore(draft.subscriber, target, before[target.key], self.context.recorded_at)
            draft.record(Event.UNDONE, target, self.context, current)
        return True


def state_before_rows(
    entries: Sequence[LedgerEntry], subscriber: Subscriber, first: int, last: int
) -> Snapshot | None:
    """Return the state before ledger rows `first` to `last`, or None if it cannot be restored.

    It cannot if one of their targets has changed since, or all at once, or if an unsubscribe was
    repeated since. An erasure has deleted what would be restored.
    """
    before = _before([each for each in entries if first <= each.seq <= last])
    touched = any(_touches(each, before) for each in entries if each.seq > last)
    repeated = any(_was_repeated(subscriber, key) for key in before)
    return None if not before or touched or repeated else before


def state_before(
    entries: Sequence[LedgerEntry], subscriber: Subscriber, last: int, now: datetime, zone: tzinfo
) -> Snapshot:
    """Return the state before the subscriber's own entries up to row `last`; may raise UndoRefusal.

    `entries` are all of the subscriber's from the first row to be undone.
    """
    own = history.own_choices(entries, last)
    before = _before(own)
    if not own and any(entry.seq <= last for entry in entries):
        raise UndoNotOfferedError("this was not the subscriber's own choice")
    if not before:
        raise UndoSupersededError("what was changed is no longer on record")
    if now.astimezone(zone).date() > undo_until(own[-1].recorded_at, zone).date():
        raise UndoTooLateError("the time for undo is over")
    if is_undone(subscriber, before):
        return before
    others = (each for each in entries if each.seq > last or not each.source.is_own)
    if any(_touches(entry, before) for entry in others):
        raise UndoSupersededError("a newer change, by the subscriber or another party, was made")
    if any(_was_repeated(subscriber, key) for key in before):
        raise UndoNotOfferedError("the unsubscribe was repeated since, through another channel")
    return before


def _before(entries: Sequence[LedgerEntry]) -> dict[str, Value]:
    """Return the state of their targets before the first of some entries; empty once erased."""
    before: dict[str, Value] = {}
    for entry in reversed(entries):
        before.update(entry.before or {})
    return before


def is_undone(subscriber: Subscriber, before: Snapshot) -> bool:
    """Return True if everything is again as it was in `before`."""
    return matches(capture(subscriber, map(Target.from_key, before)), before)


def undo_until(recorded_at: datetime, zone: tzinfo) -> datetime:
    """Return a time on the last day of undo in a zone, all of which counts, as the page says."""
    return recorded_at.astimezone(zone) + UNDO_DAYS


def _campaign(entries: Sequence[LedgerEntry], last: int) -> str | None:
    """Return the campaign that led to the undone rows: a report counts both under it."""
    own = (each for each in entries if each.seq <= last)
    return next((each.campaign for each in own if each.campaign), None)


def _is_restored(subscriber: Subscriber, before: Snapshot, key: str) -> bool:
    return is_undone(subscriber, {key: before[key]})


def _touches(entry: LedgerEntry, before: Snapshot) -> bool:
    """Return True if an entry changed one of the same targets, or all of them at once.

    Restoring a global unsubscribe would also end topics that were started since then.
    """
    lifted = entry.event in (Event.UNDONE, Event.RESUBSCRIBED, Event.LIFTED)
    ended_everything = entry.scope is not Scope.TOPIC and not lifted
    started = entry.source.is_own and entry.event in history.STARTED
    would_end_it = started and before.get(Scope.ALL) is not None
    return ended_everything or would_end_it or not before.keys().isdisjoint(entry.after or ())


def _was_repeated(subscriber: Subscriber, key: str) -> bool:
    row = find(subscriber, Target.from_key(key))
    return row is not None and row.repeated_at is not None
