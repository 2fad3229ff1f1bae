"""End consent, and put it back: the one way, whichever door it came through.

State, ledger row and outbox row are written together into the caller's transaction. The caller
holds the subscriber's lock (`subscribers.lock`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.snapshots import copy_values, put_back, subscription_key, take
from preference_center.store.tables import LedgerRow, Subscriber, Subscription, Suppression, Topic

Scope = Literal["topic", "all", "address"]
Source = Literal[
    "one-click", "page", "mailto", "complaint", "bounce", "api", "import", "console", "cli"
]

UNDO_DAYS = timedelta(days=30)
OWN_SOURCES = ("page", "one-click", "mailto")


@dataclass(frozen=True)
class Act:
    """How a change came in: the door, the campaign it answers, when it was done and recorded.

    `confirm_after` is how long its confirmation waits for more changes; None sends none. `told`
    is the door that an import names for a change it brings along.
    """

    source: Source
    occurred_at: datetime
    now: datetime
    campaign: str | None = None
    wording: str | None = None
    confirm_after: timedelta | None = None
    told: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The ledger row that holds the change; for a repeat, the row that first made it."""

    seq: int
    changed: bool


def end_consent(
    session: Session, subscriber: Subscriber, scope: Scope, act: Act, topic: Topic | None = None
) -> Outcome:
    """End consent to one topic, to all of them (also those to come) or to any mail at all.

    A repeat succeeds: it keeps the first time, adds no ledger row and sends no mail. An act that
    arrives late yields to a newer choice of the person's own.
    """
    slug = topic.slug if topic is not None else None
    key = subscription_key(slug) if slug is not None else scope
    if _has_ended(subscriber, scope, slug) or _is_overtaken(session, subscriber, act, slug):
        return _unchanged(session, subscriber, slug)
    before = take(subscriber, [key])
    if slug is not None:
        _end_topic(subscriber, slug, act)
    else:
        _suppress(subscriber, scope, act)
    return _record(session, subscriber, "unsubscribed", scope, topic, act, before)


def record_subscription(
    session: Session, subscriber: Subscriber, topic: Topic, subscription: Subscription, act: Act
) -> Outcome:
    """Add what a sender brings along; it changes no choice that is on record already.

    Only somebody `unconfirmed` so far becomes `subscribed`.
    """
    known = subscriber.subscriptions.get(topic.slug)
    confirms = known is not None and (known.status, subscription.status) == (
        "unconfirmed",
        "subscribed",
    )
    if known is not None and not confirms:
        return Outcome(subscriber.seq, changed=False)
    before = take(subscriber, [subscription_key(topic.slug)])
    if known is not None:
        copy_values(subscription, known)
    else:
        subscriber.subscriptions[topic.slug] = subscription
    return _record(session, subscriber, subscription.status, "topic", topic, act, before)


def undo(session: Session, subscriber: Subscriber, first: int, last: int, act: Act) -> Outcome:
    """Put back exactly what was before the ledger rows `first` to `last`, or raise UndoRefusal.

    Undoing what is undone already succeeds and changes nothing.
    """
    wanted = _what_to_put_back(session, subscriber, first, last, act.now)
    now_state = take(subscriber, wanted.before)
    if now_state == wanted.before:
        return Outcome(wanted.newest.seq, changed=False)
    for key, value in wanted.before.items():
        put_back(subscriber, key, value, act.now)
    entry = _entry("undone", wanted.newest.scope, wanted.newest.topic, act)
    return Outcome(_append(session, subscriber, entry, act, now_state), changed=True)


def is_undone(
    session: Session, subscriber: Subscriber, first: int, last: int, now: datetime
) -> bool:
    """Tell whether the rows `first` to `last` are undone already; raise as `undo` would."""
    wanted = _what_to_put_back(session, subscriber, first, last, now)
    return take(subscriber, wanted.before) == wanted.before


@dataclass(frozen=True)
class _Undo:
    before: dict[str, Any]
    newest: LedgerRow


def _what_to_put_back(
    session: Session, subscriber: Subscriber, first: int, last: int, now: datetime
) -> _Undo:
    changes = ledger.changes(session, subscriber.subscriber_id, first)
    own = [change for change in changes if change.row.seq <= last]
    before: dict[str, Any] = {}
    for change in reversed(own):
        before.update(change.before or {})
    _refuse_undo(own, before, now)
    newer = [change for change in changes if change.row.seq > last and _touches(change, before)]
    if newer and take(subscriber, before) != before:
        raise UndoSupersededError("a newer choice came after this one")
    return _Undo(before, (newer or own)[-1].row)


def _refuse_undo(own: list[ledger.Change], before: dict[str, Any], now: datetime) -> None:
    if not own or not before:
        raise UndoSupersededError("what was changed is no longer on record")
    if any(change.row.source not in OWN_SOURCES for change in own):
        raise UndoNotOfferedError("this was not the person's own choice")
    if now - own[-1].row.recorded_at > UNDO_DAYS:
        raise UndoTooLateError("the days of undo are over")


def _touches(change: ledger.Change, keys: Iterable[str]) -> bool:
    """Tell whether a change touched one of the same things, or stopped everything."""
    stopped_everything = change.row.scope != "topic" and change.row.event != "undone"
    return stopped_everything or not set(keys).isdisjoint(change.after or ())


def _has_ended(subscriber: Subscriber, scope: Scope, slug: str | None) -> bool:
    if slug is None:
        return scope in subscriber.suppressions
    subscription = subscriber.subscriptions.get(slug)
    return subscription is not None and subscription.status == "unsubscribed"


def _is_overtaken(session: Session, subscriber: Subscriber, act: Act, slug: str | None) -> bool:
    if act.occurred_at >= act.now or subscriber.seq == 0:
        return False
    newest = ledger.last_touch(session, subscriber.subscriber_id, slug)
    return (
        newest is not None
        and newest.occurred_at > act.occurred_at
        and newest.event in {"subscribed", "undone"}
        and newest.source != "import"
    )


def _unchanged(session: Session, subscriber: Subscriber, slug: str | None) -> Outcome:
    first = ledger.last_touch(session, subscriber.subscriber_id, slug)
    return Outcome(first.seq if first is not None else subscriber.seq, changed=False)


def _end_topic(subscriber: Subscriber, slug: str, act: Act) -> None:
    subscription = subscriber.subscriptions.get(slug)
    if subscription is None:
        subscription = new_subscription(subscriber, slug, "unsubscribed", act)
        subscriber.subscriptions[slug] = subscription
    subscription.status = "unsubscribed"
    subscription.source = act.told or act.source
    subscription.changed_at = act.occurred_at
    subscription.updated_at = act.now


def _suppress(subscriber: Subscriber, kind: str, act: Act) -> None:
    subscriber.suppressions[kind] = Suppression(
        subscriber_id=subscriber.subscriber_id,
        kind=kind,
        since=act.occurred_at,
        source=act.told or act.source,
        updated_at=act.now,
    )
    for subscription in subscriber.subscriptions.values():
        subscription.updated_at = act.now


def new_subscription(subscriber: Subscriber, slug: str, status: str, act: Act) -> Subscription:
    """Return a subscription that says nothing but its status and how it came about."""
    return Subscription(
        subscriber_id=subscriber.subscriber_id,
        topic=slug,
        status=status,
        frequency="every",
        changed_at=act.occurred_at,
        source=act.told or act.source,
        basis="",
        acquired_from="",
        consent_source="",
        updated_at=act.now,
    )


def _record(
    session: Session,
    subscriber: Subscriber,
    event: str,
    scope: Scope,
    topic: Topic | None,
    act: Act,
    before: dict[str, Any],
) -> Outcome:
    quiet = act if topic is None or topic.confirm else _without_confirmation(act)
    entry = _entry(event, scope, topic.slug if topic is not None else None, act)
    return Outcome(_append(session, subscriber, entry, quiet, before), changed=True)


def _entry(event: str, scope: str, slug: str | None, act: Act) -> ledger.Entry:
    return ledger.Entry(
        event, scope, slug, act.source, act.occurred_at, act.now, act.campaign, act.wording
    )


def _append(
    session: Session,
    subscriber: Subscriber,
    entry: ledger.Entry,
    act: Act,
    before: dict[str, Any],
) -> int:
    after = take(subscriber, before)
    seq = ledger.append(session, subscriber, entry, before, after)
    if act.confirm_after is not None and subscriber.email is not None:
        session.flush()
        outbox.schedule(session, subscriber.subscriber_id, seq, act.now, act.confirm_after)
    return seq


def _without_confirmation(act: Act) -> Act:
    return Act(act.source, act.occurred_at, act.now, act.campaign, act.wording)
