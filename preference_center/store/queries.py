"""Statements that the ORM cannot express: upserts, locks and batches, each in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Dialect, Table, and_, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from preference_center.core.vocab import Frequency, Scope
from preference_center.store.tables import (
    UNSETTLED,
    Base,
    BounceCount,
    Claim,
    ClaimCount,
    InboundCount,
    OutboxRow,
    PageView,
    Subscriber,
    Subscription,
    Suppression,
)

Insert = postgresql.Insert | sqlite.Insert


def insert(session: Session, table: type[Base]) -> Insert:
    """Return an insert of this engine's dialect, which supports `ON CONFLICT`."""
    dialect: Dialect = session.get_bind().dialect
    assert isinstance(table.__table__, Table)  # noqa: S101 (for the type checker)
    if dialect.name == "sqlite":
        return sqlite.insert(table.__table__)
    return postgresql.insert(table.__table__)


def insert_missing(session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert the rows whose key does not exist yet."""
    if values := list(rows):
        session.execute(insert(session, table).on_conflict_do_nothing(), values)


ALL_SUPPRESSION = aliased(Suppression)
ADDRESS_SUPPRESSION = aliased(Suppression)


def is_suppression_of(stop: type[Suppression], kind: Scope) -> ColumnElement[bool]:
    """Return the join condition of a subscriber and a suppression of one kind."""
    return and_(stop.subscriber_id == Subscriber.subscriber_id, stop.kind == kind)


def load_delivery_rules(
    session: Session, topic: str, campaign: str, ids: Sequence[UUID]
) -> dict[UUID, Any]:
    """Return what decides whether each of `ids` may be emailed on `topic`, by id.

    Unknown ids are absent. `last_claim` is the newest claim of another campaign, read only for
    subscriptions with a cap.
    """
    last_claim = (
        select(func.max(Claim.claimed_at))
        .where(
            Claim.subscriber_id == Subscriber.subscriber_id,
            Claim.topic == topic,
            Claim.campaign != campaign,
            Claim.released_at.is_(None),
        )
        .scalar_subquery()
    )
    statement = (
        select(
            Subscriber.subscriber_id,
            Subscriber.email,
            Subscriber.erased_at,
            Subscription.status,
            Subscription.frequency,
            Subscription.paused_until,
            case((Subscription.frequency != Frequency.EVERY, last_claim)).label("last_claim"),
            ALL_SUPPRESSION.kind.label("all_stop"),
            ADDRESS_SUPPRESSION.kind.label("address_stop"),
        )
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Subscriber.subscriber_id,
                Subscription.topic == topic,
            ),
        )
        .outerjoin(ALL_SUPPRESSION, is_suppression_of(ALL_SUPPRESSION, Scope.ALL))
        .outerjoin(ADDRESS_SUPPRESSION, is_suppression_of(ADDRESS_SUPPRESSION, Scope.ADDRESS))
        .where(Subscriber.subscriber_id.in_(ids))
    )
    return {row.subscriber_id: row for row in session.execute(statement)}


def lock_ids(session: Session, ids: Sequence[UUID]) -> None:
    """Lock the subscribers among `ids` that are on record, in the order of their ids."""
    statement = (
        select(Subscriber.subscriber_id)
        .where(Subscriber.subscriber_id.in_(ids))
        .order_by(Subscriber.subscriber_id)
        .with_for_update()
    )
    session.execute(statement).all()


def lock_available(session: Session, ids: Sequence[UUID]) -> list[UUID]:
    """Lock those of `ids` that no other transaction has locked, without waiting; return them."""
    statement = (
        select(Subscriber.subscriber_id)
        .where(Subscriber.subscriber_id.in_(ids))
        .order_by(Subscriber.subscriber_id)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(statement)) if ids else []


def claim(
    session: Session, topic: str, campaign: str, ids: Iterable[UUID], now: datetime
) -> list[UUID]:
    """Claim an email for each of `ids`; return those that had no such claim.

    A claim that exists and was not released stays as it is.
    """
    statement = insert(session, Claim)
    statement = statement.on_conflict_do_update(
        index_elements=["subscriber_id", "topic", "campaign"],
        set_={"claimed_at": statement.excluded.claimed_at, "released_at": None},
        where=Claim.released_at.is_not(None),
    )
    same = {"topic": topic, "campaign": campaign, "claimed_at": now}
    rows = [{"subscriber_id": each, **same} for each in ids]
    returning = statement.returning(Claim.subscriber_id)
    return list(session.scalars(returning, rows)) if rows else []


def add_counts(
    session: Session,
    table: type[BounceCount | ClaimCount | InboundCount | PageView],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Insert counts, or add them to the counts with the same keys."""
    statement = insert(session, table)
    statement = statement.on_conflict_do_update(
        index_elements=list(table.__table__.primary_key),
        set_={"count": table.count + statement.excluded.count},
    )
    if rows:
        session.execute(statement, rows)


def lock_due_email(session: Session, now: datetime) -> OutboxRow | None:
    """Return the email that has been due longest, locked, or None."""
    statement = (
        select(OutboxRow)
        .where(UNSETTLED, OutboxRow.due_at <= now)
        .order_by(OutboxRow.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return session.scalars(statement).first()
