"""Count views of the pages behind a campaign's links, by hour, without subscriber or link."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from preference_center.store import queries
from preference_center.store.tables import PageView

Key = tuple[datetime, str, str]  # hour, topic, campaign


def hour_of(at: datetime) -> datetime:
    """Return the start of the hour (UTC) of a time."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def add(session: Session, counts: Mapping[Key, int]) -> None:
    """Add counts to those on record, in a fixed order, so that no two writers deadlock."""
    rows = [
        {"hour": hour, "topic": topic, "campaign": campaign, "count": count}
        for (hour, topic, campaign), count in sorted(counts.items())
    ]
    queries.add_counts(session, PageView, rows)
