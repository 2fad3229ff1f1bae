"""Find or record a subscriber, and hold the lock that every change to them takes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

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
    """Return a subscriber with all they chose, unlocked, for looking at; None if never seen."""
    statement = (
        select(Subscriber)
        .where(Subscriber.subscriber_id == subscriber_id)
        .options(selectinload(Subscriber.subscriptions), selectinload(Subscriber.suppressions))
    )
    return session.scalars(statement).first()


def upsert_addresses(session: Session, people: Mapping[UUID, str], now: datetime) -> None:
    """Record people who were seen, with their addresses where those are known ("": not)."""
    rows = (
        _new(each, email if is_mailable(email) else None, now) for each, email in people.items()
    )
    queries.fill_addresses(session, rows)


def mark_erased(subscriber: Subscriber, at: datetime) -> None:
    """Forget address, language, subscriptions, deliveries, and that it may be filled in again."""
    subscriber.subscriptions.clear()
    subscriber.email, subscriber.locale, subscriber.delivered_on = None, None, None
    subscriber.erased_at = at


def _new(subscriber_id: UUID, email: str | None, now: datetime) -> dict[str, object]:
    return {
        "subscriber_id": subscriber_id,
        "email": email,
        "created_at": now,
        "seq": 0,
        "head": seals.FIRST_HEAD,
    }
