"""The statements that take more than the mapper: upserts, locks and batches, each in one trip."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Dialect, Table, and_, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased, selectinload

from preference_center.core.vocab import Frequency, Scope
from preference_center.store.tables import (
    PENDING,
    UNSETTLED,
    Base,
    BounceCount,
    Claim,
    ClaimCount,
    InboundCount,
    InboundSeen,
    OutboxRow,
    PageView,
    Subscriber,
    Subscription,
    Suppression,
)

Insert = postgresql.Insert | sqlite.Insert


def insert(session: Session, table: type[Base]) -> Insert:
    """Return an insert of this engine's kind, which knows `ON CONFLICT`."""
    dialect: Dialect = session.get_bind().dialect
    assert isinstance(table.__table__, Table)  # noqa: S101 (tells the type checker)
    if dialect.name == "sqlite":
        return sqlite.insert(table.__table__)
    return postgresql.insert(table.__table__)


def insert_missing(session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet."""
    if values := list(rows):
        session.execute(insert(session, table).on_conflict_do_nothing(), values)


def lock_subscribers(session: Session, ids: Sequence[UUID]) -> list[Subscriber]:
    """Return the subscribers, locked in the order of their ids, with all they chose.

    The order is what keeps two batches from waiting for each other for ever.
    """
    statement = (
        select(Subscriber)
        .where(Subscriber.subscriber_id.in_(ids))
        .order_by(Subscriber.subscriber_id)
        .with_for_update()
        .options(selectinload(Subscriber.subscriptions), selectinload(Subscriber.suppressions))
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def add_to_pending(session: Session, row: Mapping[str, Any]) -> None:
    """Insert a pending mail, or let the one already pending cover this change too.

    It counts as created anew: a confirm link counts from when it was last asked for. One statement,
    so that a worker's claim falls before it or after it, never between.
    """
    statement = insert(session, OutboxRow).values(**row)
    due = case(
        (statement.excluded.due_at < OutboxRow.latest_at, statement.excluded.due_at),
        else_=OutboxRow.latest_at,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["subscriber_id", "kind", "topic"],
            index_where=PENDING,
            set_={
                "last_seq": statement.excluded.last_seq,
                "created_at": statement.excluded.created_at,
                "due_at": due,
            },
        )
    )


def fill_addresses(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert subscribers, or give those without an address theirs; never one who was erased."""
    statement = insert(session, Subscriber)
    statement = statement.on_conflict_do_update(
        index_elements=["subscriber_id"],
        set_={"email": statement.excluded.email},
        where=and_(Subscriber.email.is_(None), Subscriber.erased_at.is_(None)),
    )
    if values := sorted(rows, key=lambda row: row["subscriber_id"]):
        session.execute(statement, values)


ALL_SUPPRESSION = aliased(Suppression)
ADDRESS_SUPPRESSION = aliased(Suppression)


def is_suppression_of(stop: type[Suppression], kind: Scope) -> ColumnElement[bool]:
    """Return the join of a subscriber with their suppression of one kind."""
    return and_(stop.subscriber_id == Subscriber.subscriber_id, stop.kind == kind)


def load_delivery_rules(
    session: Session, topic: str, campaign: str, ids: Sequence[UUID]
) -> dict[UUID, Any]:
    """Return what decides whether each of `ids` may be mailed on `topic`; absent: never seen.

    `last_claim` is that of other campaigns, asked for only where a cap wants to know it.
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
    """Lock the subscribers there are among `ids`, in that order, whatever they chose."""
    statement = (
        select(Subscriber.subscriber_id)
        .where(Subscriber.subscriber_id.in_(ids))
        .order_by(Subscriber.subscriber_id)
        .with_for_update()
    )
    session.execute(statement).all()


def lock_available(session: Session, ids: Sequence[UUID]) -> list[UUID]:
    """Lock those of `ids` that no other transaction holds, without waiting; return them."""
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
    """Record an email for each of `ids`; return those for which none was recorded so far.

    One that is recorded and not released stays as it is.
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
    """Insert counts, or add them to those that have the same key."""
    statement = insert(session, table)
    statement = statement.on_conflict_do_update(
        index_elements=list(table.__table__.primary_key),
        set_={"count": table.count + statement.excluded.count},
    )
    if rows:
        session.execute(statement, rows)


def insert_seen(session: Session, digest: bytes, now: datetime) -> bool:
    """Note that something came in; False where it is on record, or another one notes it first."""
    statement = insert(session, InboundSeen).values(digest=digest, seen_at=now)
    noted = statement.on_conflict_do_nothing().returning(InboundSeen.digest)
    return session.scalars(noted).first() is not None


def take_due_mail(session: Session, now: datetime) -> OutboxRow | None:
    """Return the mail that has waited longest and is due, locked; None where there is none."""
    statement = (
        select(OutboxRow)
        .where(UNSETTLED, OutboxRow.due_at <= now)
        .order_by(OutboxRow.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return session.scalars(statement).first()
