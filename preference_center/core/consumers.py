"""The programs that read the feed, and the unsubscribes that each has not fetched yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from preference_center.core import feed
from preference_center.store import sets
from preference_center.store.tables import ApiKeyRow, Consumer


@dataclass(frozen=True)
class ReadingKey:
    """A valid API key that reads the feed, and its oldest unsubscribe that it has not fetched."""

    prefix: str
    position: int
    oldest_unfetched: datetime | None


def note_fetched(session: Session, api_key: UUID, position: int, now: datetime) -> None:
    """Record the position up to which a program has fetched the feed with an API key."""
    sets.upsert(session, Consumer, [(api_key, position, now)])


def fetched_position(session: Session, api_key: UUID) -> int | None:
    """Return the position up to which a program has fetched the feed, or None if it never did."""
    return session.scalar(select(Consumer.position).where(Consumer.api_key == api_key))


def list_all(session: Session, now: datetime) -> list[ReadingKey]:
    """Return the valid keys that have read the feed, by their prefix."""
    statement = (
        select(ApiKeyRow.prefix, Consumer.position)
        .join(Consumer, Consumer.api_key == ApiKeyRow.id)
        .where(
            ApiKeyRow.revoked_at.is_(None),
            or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now),
        )
        .order_by(ApiKeyRow.prefix)
    )
    return [
        ReadingKey(prefix, position, feed.oldest_stop(session, position))
        for prefix, position in session.execute(statement)
    ]
