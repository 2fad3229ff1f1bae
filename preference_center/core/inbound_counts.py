"""Count inbound messages and events by day, channel and effect."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.store import sets
from preference_center.store.tables import InboundCount

Key = tuple[date, str, str]  # day, channel, effect


def key(channel: str, effect: str, now: datetime) -> Key:
    """Return the key under which an effect is counted; the day is in UTC."""
    return now.astimezone(UTC).date(), channel, effect


def add(session: Session, counts: Mapping[Key, int]) -> None:
    """Add counts to those on record, in a fixed order, so that no two writers deadlock."""
    sets.add_counts(session, InboundCount, [(*key, count) for key, count in sorted(counts.items())])


def count_effects(
    session: Session, channel: str, effects: Iterable[Iterable[str]], now: datetime
) -> None:
    """Count the effects of some items, each effect of an item once.

    Call it last in a transaction: other writers wait.
    """
    counted = Counter(effect for each in effects for effect in set(each))
    add(session, {key(channel, effect, now): count for effect, count in counted.items()})


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
