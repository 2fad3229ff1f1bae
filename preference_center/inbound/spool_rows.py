"""A spooled unsubscribe, and how it is written into SQLite."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from preference_center.core.change import Target
from preference_center.core.vocab import Scope, Source

TABLE = """
CREATE TABLE unsubscribes (
    position INTEGER PRIMARY KEY, id BLOB NOT NULL, subscriber_id BLOB NOT NULL,
    scope TEXT NOT NULL, topic TEXT, campaign TEXT, source TEXT NOT NULL,
    acknowledged_at TEXT NOT NULL, notice_delay REAL
)"""
INSERT = "INSERT INTO unsubscribes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
SELECT = "SELECT * FROM unsubscribes WHERE position > ? ORDER BY position LIMIT ?"
OLDEST = "SELECT acknowledged_at FROM unsubscribes ORDER BY position LIMIT 1"
DELETE = "DELETE FROM unsubscribes WHERE position BETWEEN ? AND ?"

Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class SpooledUnsubscribe:
    """An unsubscribe as it was acknowledged: the link's content, and the settings at that time.

    It contains no address and no link. `id` makes sure that it is applied once.
    """

    subscriber_id: UUID
    target: Target
    source: Source
    acknowledged_at: datetime
    campaign: str | None = None
    notice_delay: timedelta | None = None
    id: UUID = field(default_factory=uuid4)


def row_of(entry: SpooledUnsubscribe) -> Row:
    """Return the values that INSERT takes."""
    return (
        entry.id.bytes,
        entry.subscriber_id.bytes,
        entry.target.scope.value,
        entry.target.topic,
        entry.campaign,
        entry.source.value,
        entry.acknowledged_at.isoformat(),
        entry.notice_delay.total_seconds() if entry.notice_delay is not None else None,
    )


def entry_of(row: Row) -> SpooledUnsubscribe:
    """Return what a row of SELECT contains. Raise ValueError if it is not valid."""
    _, own_id, subscriber_id, scope, topic, campaign, source, acknowledged_at, delay = row
    return SpooledUnsubscribe(
        id=UUID(bytes=own_id),
        subscriber_id=UUID(bytes=subscriber_id),
        target=Target(Scope(scope), topic),
        campaign=campaign,
        source=Source(source),
        acknowledged_at=datetime.fromisoformat(acknowledged_at),
        notice_delay=timedelta(seconds=delay) if delay is not None else None,
    )
