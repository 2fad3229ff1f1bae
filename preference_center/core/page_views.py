"""Count views of the pages behind a campaign's links, by day, without subscriber or link."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy.orm import Session

from preference_center.store import sets
from preference_center.store.report_queries import day_of
from preference_center.store.tables import PageView

Key = tuple[date, str, str]  # day, topic, campaign


def key(at: datetime, topic: str, campaign: str) -> Key:
    """Return what a view counts under. Days are in UTC."""
    return day_of(at), topic, campaign


def add(session: Session, counts: Mapping[Key, int]) -> None:
    """Add counts to those on record, in a fixed order, so that no two writers deadlock."""
    sets.add_counts(session, PageView, [(*key, count) for key, count in sorted(counts.items())])
