"""The programs that read the feed: how far each is, and what it has not fetched yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
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


@dataclass(frozen=True)
class Progress:
    """How far a program has read the feed: it has fetched every event up to `fetched`.

    It has acknowledged those up to `acknowledged`, the cursor of its newest request.
    """

    acknowledged: int
    fetched: int


def note_progress(session: Session, api_key: UUID, progress: Progress, now: datetime) -> None:
    """Record how far a program has read the feed with an API key."""
    values = {
        "acknowledged": progress.acknowledged,
        "position": progress.fetched,
        "fetched_at": now,
    }
    statement = queries.insert(session, Consumer).values(api_key=api_key, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["api_key"], set_=values))


def progress(session: Session, api_key: UUID) -> Progress | None:
    """Return how far a program has read the feed with an API key, or None if it never did."""
    row = session.get(Consumer, api_key)
    return Progress(row.acknowledged, row.position) if row is not None else None


def list_all(session: Session, now: datetime) -> list[ReadingKey]:
    """Return the valid keys that have read the feed, by their prefix."""
    statement = (
        select(ApiKeyRow.id, ApiKeyRow.prefix, ApiKeyRow.name, Consumer.position)
        .join(Consumer, Consumer.api_key == ApiKeyRow.id)
        .where(_is_valid(now))
        .order_by(ApiKeyRow.prefix)
    )
    return [
        ReadingKey(*row, feed.oldest_stop(session, row.position))
        for row in session.execute(statement)
    ]


def acknowledged(session: Session, now: datetime) -> list[tuple[str, int]]:
    """Return the position up to which each valid key has acknowledged the feed, by its name."""
    statement = (
        select(ApiKeyRow.prefix, ApiKeyRow.name, Consumer.acknowledged)
        .join(Consumer, Consumer.api_key == ApiKeyRow.id)
        .where(_is_valid(now))
        .order_by(ApiKeyRow.prefix)
    )
    return [
        (f"API key {prefix} ({name})", position)
        for prefix, name, position in session.execute(statement)
    ]


def _is_valid(now: datetime) -> ColumnElement[bool]:
    is_current = or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now)
    return and_(ApiKeyRow.revoked_at.is_(None), is_current)


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
