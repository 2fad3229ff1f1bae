"""Summarise a range of a subscriber's ledger rows. Callers load the range once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from preference_center.core.change import Target
from preference_center.core.ledger import LedgerEntry
from preference_center.core.snapshots import Value, visible_state
from preference_center.core.vocab import Event, Scope

# Events after which a subscriber wants email, those that only reduce it, and those with leaving.
ASKED_FOR_EMAIL = {
    Event.SUBSCRIBED,
    Event.RESUBSCRIBED,
    Event.INCREASED,
    Event.RESUMED,
    Event.UNDONE,
}
_REDUCED = {Event.REDUCED, Event.PAUSED}
ASKED_FOR_LESS = {Event.UNSUBSCRIBED, *_REDUCED}
STARTED = (Event.SUBSCRIBED, Event.RESUBSCRIBED)


@dataclass(frozen=True)
class NetChange:
    """The net effect of a range of changes on one target."""

    target: Target
    before: Value
    after: Value
    event: Event
    occurred_at: datetime


def own_choices(entries: Iterable[LedgerEntry], last: int) -> list[LedgerEntry]:
    """Return the entries up to row `last` that are the subscriber's own choices."""
    return [each for each in entries if each.seq <= last and each.source.is_own]


def net_changes(entries: Sequence[LedgerEntry]) -> list[NetChange]:
    """Return the net effect of entries, without changes that cancel out or that were erased."""
    net: dict[str, NetChange] = {}
    for entry in entries:
        for key, after in (entry.after or {}).items():
            target = Target.from_key(key)
            before = net[key].before if key in net else (entry.before or {})[key]
            net[key] = NetChange(target, before, after, entry.event, entry.occurred_at)
    return [change for change in net.values() if _is_noticed(change, net.values())]


def superseding(newest_first: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
    """Yield, newest first, the rows that can supersede an unsubscribe.

    Frequency changes and undone changes are skipped. An unsubscribe that the subscriber has undone
    is not; one that staff have undone is, because the subscriber has chosen nothing by that.
    """
    undone: list[LedgerEntry] = []
    for row in newest_first:
        if row.event is Event.UNDONE:
            undone.append(row)
        elif undone:
            undoing = undone.pop()
            if row.event is Event.UNSUBSCRIBED and undoing.source.is_own:
                yield from (undoing, row)
        elif row.event not in _REDUCED:
            yield row


def _is_noticed(change: NetChange, net: Iterable[NetChange]) -> bool:
    """Return True if the subscriber would notice a change.

    They would notice a topic that they started again, even if its own row is the same as before
    the global unsubscribe.
    """
    if change.event is Event.STAYED_OFF and change.before is None:
        return False  # They never had a subscription to it.
    of_all = (each for each in net if each.target.scope is not Scope.TOPIC)
    lifted = any(each.before is not None and each.after is None for each in of_all)
    started = change.event in STARTED
    return (lifted and started) or visible_state(change.before) != visible_state(change.after)
