"""Find or record subscribers, and hold the lock that every change to one takes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from preference_center.links.addresses import is_mailable
from preference_center.store import queries, seals
from preference_center.store.tables import Subscriber


def lock(session: Session, subscriber_id: UUID, now: datetime) -> Subscriber:
    """Return one subscriber, recorded if unknown so far, locked until the transaction ends."""
    return lock_all(session, [subscriber_id], now)[subscriber_id]


def lock_all(session: Session, ids: Iterable[UUID], now: datetime) -> dict[UUID, Subscriber]:
    """Return subscribers by id, as `lock` does, in four statements however many they are."""
    ordered = sorted(set(ids))
    queries.insert_missing(session, Subscriber, [_new(each, None, now) for each in ordered])
    locked = queries.lock_subscribers(session, ordered)
    return {subscriber.subscriber_id: subscriber for subscriber in locked}


def find(session: Session, subscriber_id: UUID) -> Subscriber | None:
    """Return a subscriber with all choices, unlocked and in one statement; None if unknown."""
    statement = (
        select(Subscriber)
        .where(Subscriber.subscriber_id == subscriber_id)
        .options(joinedload(Subscriber.subscriptions), joinedload(Subscriber.suppressions))
    )
    return session.scalars(statement).unique().one_or_none()


def upsert_addresses(session: Session, people: Mapping[UUID, str], now: datetime) -> None:
    """Record subscribers with their addresses; "" if an address is not known."""
    rows = (
        _new(each, email if is_mailable(email) else None, now) for each, email in people.items()
    )
    queries.fill_addresses(session, rows)


def mark_erased(subscriber: Subscriber, at: datetime) -> None:
    """Delete address, language, subscriptions and deliveries, and never fill them in again."""
    subscriber.subscriptions.clear()
    subscriber.email, subscriber.locale, subscriber.delivered_on = None, None, None
    subscriber.erased_at = at


def mark_updated(subscriber: Subscriber, now: datetime) -> None:
    """Note that the effect of every subscription has changed: exports by time must list it."""
    for subscription in subscriber.subscriptions.values():
        subscription.updated_at = now


def _new(subscriber_id: UUID, email: str | None, now: datetime) -> dict[str, object]:
    return {
        "subscriber_id": subscriber_id,
        "email": email,
        "created_at": now,
        "seq": 0,
        "head": seals.FIRST_HEAD,
    }
