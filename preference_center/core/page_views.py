"""Count views of the pages behind a campaign's links, by hour, without subscriber or link."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from preference_center.store import sets
from preference_center.store.tables import PageView

Key = tuple[datetime, str, str]  # hour, topic, campaign


def hour_of(at: datetime) -> datetime:
    """Return the start of the hour (UTC) of a time."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def add(session: Session, counts: Mapping[Key, int]) -> None:
    """Add counts to those on record, in a fixed order, so that no two writers deadlock."""
    sets.add_counts(session, PageView, [(*key, count) for key, count in sorted(counts.items())])
