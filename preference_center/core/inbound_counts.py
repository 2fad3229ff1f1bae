"""Count inbound messages and events by day, channel and effect."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.store import queries
from preference_center.store.tables import InboundCount

Key = tuple[date, str, str]  # day, channel, effect


def key(channel: str, effect: str, now: datetime) -> Key:
    """Return the key under which an effect is counted; the day is in UTC."""
    return now.astimezone(UTC).date(), channel, effect


def add(session: Session, counts: Mapping[Key, int]) -> None:
    """Add counts to those on record, in a fixed order, so that no two writers deadlock."""
    rows = [
        {"day": day, "channel": channel, "effect": effect, "count": count}
        for (day, channel, effect), count in sorted(counts.items())
    ]
    queries.add_counts(session, InboundCount, rows)


def count(session: Session, keys: Iterable[Key]) -> None:
    """Count one more under each key. Call it last in a transaction: other writers wait."""
    add(session, dict.fromkeys(keys, 1))


def totals(session: Session, since: date, until: date) -> list[tuple[str, str, int]]:
    """Return channel, effect and count, summed over the days from `since` to before `until`."""
    statement = (
        select(InboundCount.channel, InboundCount.effect, func.sum(InboundCount.count))
        .where(InboundCount.day >= since, InboundCount.day < until)
        .group_by(InboundCount.channel, InboundCount.effect)
        .order_by(InboundCount.channel, InboundCount.effect)
    )
    return [
        (channel, effect, int(number)) for channel, effect, number in session.execute(statement)
    ]
