"""How purges work: each step deletes at most a batch of one kind of expired data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, tuple_
from sqlalchemy.orm import Session

from preference_center.store import citus
from preference_center.store.tables import Base

BATCH_SIZE = 1000  # rows


@dataclass(frozen=True)
class Retention:
    """How long each kind of data is kept."""

    outbox: timedelta
    claims: timedelta
    reason_identities: timedelta
    reason_notes: timedelta
    quarantine: timedelta
    dedup: timedelta
    domain_counts: timedelta
    data_complaints: timedelta
    audit: timedelta


Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Step:
    """One kind of data: `run` deletes at most a batch of it and returns how many rows it took.

    `expired` returns the conditions that select, between them, all rows that are due.
    """

    name: str
    run: Callable[[Session, Retention, datetime], int]
    expired: Callable[[Retention, datetime], Iterable[Condition]]


def deletion(
    name: str, table: type[Base], expired: Callable[[Retention, datetime], Condition]
) -> Step:
    """Return the step that deletes the rows of a table that `expired` selects."""

    def run(session: Session, keep: Retention, now: datetime) -> int:
        return delete_batch(session, table, expired(keep, now))

    return Step(name, run, lambda keep, now: [expired(keep, now)])


def delete_batch(session: Session, table: type[Base], wanted: Condition) -> int:
    """Delete at most a batch of these rows; return how many."""
    deleted = delete(table).where(batch(session, table, wanted), wanted)
    return len(session.execute(deleted.returning(*table.__table__.primary_key)).all())


def batch(session: Session, table: type[Base], wanted: Condition) -> Condition:
    """Return the condition that selects at most a batch of these rows by their keys."""
    keys = tuple(table.__table__.primary_key)
    found = select(*keys).where(wanted).limit(BATCH_SIZE)
    if not citus.is_distributed(session):  # Citus refuses a lock of several subscribers' rows.
        # Rows that another transaction has locked are left to the next run.
        found = found.with_for_update(skip_locked=True)
    return tuple_(*keys).in_([tuple(row) for row in session.execute(found)])
