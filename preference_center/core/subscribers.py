"""Find subscribers, and record their addresses. `core.work` loads them to be changed."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.state import Loaded, Subscriber
from preference_center.links.addresses import is_mailable
from preference_center.store import sets, tables

_FILL_ADDRESS = """
ON CONFLICT (subscriber_id) DO UPDATE SET email = excluded.email
WHERE subscribers.email IS NULL AND subscribers.erased_at IS NULL
"""


def find(session: Session, subscriber_id: UUID) -> Subscriber | None:
    """Return a subscriber with all preferences, unlocked and in one statement; None if unknown."""
    own, topics, stops = (
        each.__table__.c
        for each in (tables.SubscriberRow, tables.SubscriptionRow, tables.SuppressionRow)
    )
    statement = (
        select(*own, *topics, *stops)
        .outerjoin(tables.SubscriptionRow, topics.subscriber_id == own.subscriber_id)
        .outerjoin(tables.SuppressionRow, stops.subscriber_id == own.subscriber_id)
        .where(own.subscriber_id == subscriber_id)
    )
    loaded, width = Loaded(), len(own)
    for row in map(tuple, session.execute(statement)):
        loaded.own = row[:width]
        _, topic, *subscription = row[width : width + len(topics)]
        _, kind, *suppression = row[width + len(topics) :]
        if topic is not None:
            loaded.subscriptions[topic] = (topic, *subscription)
        if kind is not None:
            loaded.suppressions[kind] = (kind, *suppression)
    return loaded.subscriber() if loaded.own is not None else None


def emails(session: Session, ids: Collection[UUID]) -> dict[UUID, str | None]:
    """Return the address of each subscriber who is on record, or None if it is not known."""
    rows = sets.select(session, tables.SubscriberRow, ids) if ids else ()
    return {subscriber_id: email for subscriber_id, email, *_ in rows}


def upsert_addresses(session: Session, people: Mapping[UUID, str], now: datetime) -> None:
    """Record subscribers with their addresses; "" if an address is not known.

    An address that is on record stays, and an erased subscriber gets none.
    """
    rows = []
    for each in sorted(people):
        subscriber = Subscriber.new(each, now)
        subscriber.email = people[each] if is_mailable(people[each]) else None
        rows.append(subscriber.values())
    sets.insert(session, tables.SubscriberRow, rows, _FILL_ADDRESS)
