"""The programs that read the feed, and the unsubscribes that each has not fetched yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from preference_center.core import feed
from preference_center.store import queries
from preference_center.store.tables import ApiKeyRow, Consumer

MAX_AGE = timedelta(hours=24)  # Mailbox providers expect an unsubscribe to count within 48 hours.
WARN_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class ReadingKey:
    """A valid API key that reads the feed, and its oldest unsubscribe that it has not fetched."""

    id: UUID
    prefix: str
    name: str
    position: int
    oldest_unfetched: datetime | None


def note_fetched(session: Session, api_key: UUID, position: int, now: datetime) -> None:
    """Record the position up to which a program has fetched the feed with an API key."""
    values = {"position": position, "fetched_at": now}
    statement = queries.insert(session, Consumer).values(api_key=api_key, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["api_key"], set_=values))


def fetched_position(session: Session, api_key: UUID) -> int | None:
    """Return the position up to which a program has fetched the feed, or None if it never did."""
    return session.scalar(select(Consumer.position).where(Consumer.api_key == api_key))


def list_all(session: Session, now: datetime) -> list[ReadingKey]:
    """Return the valid keys that have read the feed, by their prefix."""
    statement = (
        select(ApiKeyRow.id, ApiKeyRow.prefix, ApiKeyRow.name, Consumer.position)
        .join(Consumer, Consumer.api_key == ApiKeyRow.id)
        .where(
            ApiKeyRow.revoked_at.is_(None),
            or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
        )
        .order_by(ApiKeyRow.prefix)
    )
    return [
        ReadingKey(*row, feed.oldest_stop(session, row.position))
        for row in session.execute(statement)
    ]


def take_late(session: Session, now: datetime) -> list[ReadingKey]:
    """Return the keys to warn about, and note the warning: one a day for each.

    They have not fetched an unsubscribe that was recorded MAX_AGE ago.
    """
    late = [
        each
        for each in list_all(session, now)
        if each.oldest_unfetched is not None and each.oldest_unfetched <= now - MAX_AGE
    ]
    before = or_(Consumer.warned_at.is_(None), Consumer.warned_at <= now - WARN_EVERY)
    due = update(Consumer).where(Consumer.api_key.in_([each.id for each in late]), before)
    warned = session.scalars(due.values(warned_at=now).returning(Consumer.api_key)).all()
    return [each for each in late if each.id in warned]
