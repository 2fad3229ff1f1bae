"""What came in from mail systems: each thing does something once, and is counted by the day."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.store import queries
from preference_center.store.tables import InboundCount

Key = tuple[date, str, str]  # day, channel, effect


def record_if_new(session: Session, channel: str, name: str, now: datetime) -> bool:
    """Note that something came in through a channel; False where it came before.

    `name` is unique to it there: an event's id, or a message's bytes by their digest.
    """
    told = f"{channel}\n{name}".encode("utf-8", "surrogateescape")  # a recipient may be any bytes
    return queries.mark_seen(session, hashlib.sha256(told).digest(), now)


def key(channel: str, effect: str, now: datetime) -> Key:
    """Return what an effect is counted under: the day (UTC), the channel, and the effect in words."""
    return now.astimezone(UTC).date(), channel, effect


def add(session: Session, counts: Mapping[Key, int]) -> None:
    """Add counts to those on record, in their order, so that no two writers deadlock."""
    rows = [
        {"day": day, "channel": channel, "effect": effect, "count": count}
        for (day, channel, effect), count in sorted(counts.items())
    ]
    queries.add_counts(session, InboundCount, rows)


def count(session: Session, keys: Iterable[Key]) -> None:
    """Count one more under each key; the last thing a transaction does, since others wait."""
    add(session, dict.fromkeys(keys, 1))


def totals(session: Session, since: date, until: date) -> list[tuple[str, str, int]]:
    """Return channel, effect and how often, of the days from `since` to before `until`."""
    statement = (
        select(InboundCount.channel, InboundCount.effect, func.sum(InboundCount.count))
        .where(InboundCount.day >= since, InboundCount.day < until)
        .group_by(InboundCount.channel, InboundCount.effect)
        .order_by(InboundCount.channel, InboundCount.effect)
    )
    return [
        (channel, effect, int(number)) for channel, effect, number in session.execute(statement)
    ]
