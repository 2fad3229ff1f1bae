"""The figures of the database that the metrics show. Each is read from one range of an index.

They name no subscriber and no topic. A program that reads the feed has the prefix of its key, and a
webhook the beginning of its id.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import Session

from preference_center.core import (
    consumers,
    feed,
    fetches,
    processes,
    unacknowledged,
    webhook_warnings,
)
from preference_center.store import queries
from preference_center.store.tables import FAILED, UNSETTLED, OutboxRow, UnacknowledgedErasure

FAILED_WITHIN = timedelta(hours=24)
MAX_COUNTED = 100_000  # emails, or erasures; counting more would take long

_NONE = timedelta(0)


@dataclass(frozen=True)
class Figures:
    """Counts, and ages; an age is zero if there is nothing that could be old.

    `outbox_failed` are the emails that failed within FAILED_WITHIN. `erasures_waiting` are those
    that a webhook or a reader of the feed has not acknowledged. `unfetched_by` are the ages of
    the oldest unsubscribe that each reader of the feed has not fetched, or a webhook not accepted.
    """

    outbox_pending: int
    outbox_overdue: timedelta
    outbox_failed: int
    processes: int
    oldest_report: timedelta
    oldest_unfetched: timedelta
    oldest_unnumbered: timedelta
    erasures_waiting: int
    oldest_erasure: timedelta
    unfetched_by: Mapping[str, timedelta]


def read(session: Session, now: datetime) -> Figures:
    """Return the figures at `now`."""
    pending = select(literal(1)).select_from(OutboxRow).where(UNSETTLED)
    failed = (
        select(literal(1))
        .select_from(OutboxRow)
        .where(FAILED, OutboxRow.settled_at >= now - FAILED_WITHIN)
    )
    erasures = select(literal(1)).select_from(UnacknowledgedErasure)
    first_erased = select(func.min(UnacknowledgedErasure.erased_at))
    next_due = select(func.min(OutboxRow.due_at)).where(UNSETTLED)
    registered = processes.list_all(session)
    unfetched = {each.prefix: each.oldest_unfetched for each in consumers.list_all(session, now)}
    unfetched |= webhook_warnings.unaccepted(session)
    reported = min((each.reported_at for each in registered), default=None)
    return Figures(
        outbox_pending=_count(session, pending),
        outbox_overdue=_age(session.scalar(next_due), now),
        outbox_failed=_count(session, failed),
        processes=len(registered),
        oldest_report=_age(reported, queries.database_time(session)),
        oldest_unfetched=_age(_unfetched(session, unfetched.values()), now),
        oldest_unnumbered=_age(feed.oldest_unnumbered(session), now),
        erasures_waiting=_count(session, erasures.where(unacknowledged.IS_WAITING)),
        oldest_erasure=_age(session.scalar(first_erased.where(unacknowledged.IS_WAITING)), now),
        unfetched_by={name: _age(at, now) for name, at in unfetched.items()},
    )


def emails_due(session: Session, by: datetime) -> tuple[int, datetime | None]:
    """Return how many emails are due by a time, MAX_COUNTED at most, and when the first one was."""
    due = (UNSETTLED, OutboxRow.due_at <= by)
    first = session.scalar(select(func.min(OutboxRow.due_at)).where(*due))
    return _count(session, select(literal(1)).select_from(OutboxRow).where(*due)), first


def _unfetched(session: Session, of_consumers: Collection[datetime | None]) -> datetime | None:
    """Return when the oldest unsubscribe was recorded that has not been fetched in any way.

    It is not older than the oldest one that was not fetched in one of the ways.
    """
    ways = [fetches.oldest_unfetched(session), *of_consumers]
    known = [each for each in ways if each is not None]
    return max(known) if len(known) == len(ways) else None


def _count(session: Session, rows: Select[int]) -> int:
    limited = rows.limit(MAX_COUNTED).subquery()
    return session.scalars(select(func.count()).select_from(limited)).one()


def _age(at: datetime | None, now: datetime) -> timedelta:
    return _NONE if at is None else max(now - at, _NONE)
