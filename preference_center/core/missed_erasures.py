"""Erasures that consumers have not acknowledged in time. They are listed, and staff are warned."""

import json
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from preference_center.core.consumers import WARN_EVERY
from preference_center.core.unacknowledged import BATCH_SIZE, Key, Unacknowledged, follows
from preference_center.store import queries, sets
from preference_center.store.tables import UnacknowledgedErasure

KEPT_FOR = timedelta(days=90)
_IS_MISSED = UnacknowledgedErasure.missed_at.is_not(None)


def read(session: Session, after: Key | None = None) -> list[Unacknowledged]:
    """Return the next missed erasures, by subscriber, at most BATCH_SIZE of them."""
    return _read(session, follows(after))


def is_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of missed erasures that are no longer kept."""
    return UnacknowledgedErasure.missed_at <= now - KEPT_FOR


def is_warning_due(session: Session, now: datetime) -> bool:
    """Return True if staff have not been warned within WARN_EVERY."""
    last = session.scalar(select(func.max(UnacknowledgedErasure.warned_at)))
    return last is None or last <= now - WARN_EVERY


def take(session: Session, now: datetime) -> list[Unacknowledged]:
    """Return the next missed erasures to warn about, at most BATCH_SIZE, and note the warning."""
    found = {each.key: each for each in _read(session, UnacknowledgedErasure.warned_at.is_(None))}
    mine = queries.lock_available(session, {subscriber_id for subscriber_id, _ in found})
    rows = sets.select(session, UnacknowledgedErasure, mine) if mine else []
    taken = [row for row in rows if row[:2] in found and row[-1] is None]
    sets.update(session, UnacknowledgedErasure, [(*row[:-1], now) for row in taken])
    return [found[subscriber_id, seq] for subscriber_id, seq, *_ in taken]


def _read(session: Session, condition: ColumnElement[bool]) -> list[Unacknowledged]:
    table = UnacknowledgedErasure
    statement = (
        select(table.subscriber_id, table.seq, table.erased_at, table.missed_by)
        .where(_IS_MISSED, condition)
        .order_by(table.subscriber_id, table.seq)
        .limit(BATCH_SIZE)
    )
    return [
        Unacknowledged((subscriber_id, seq), erased_at, tuple(json.loads(names or "[]")))
        for subscriber_id, seq, erased_at, names in session.execute(statement)
    ]
