"""The statements that take more than the mapper: upserts, locks and batches, each in one trip."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Dialect, Table, and_, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased, selectinload

from preference_center.store.tables import (
    PENDING,
    UNSETTLED,
    Base,
    OutboxRow,
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

    One statement, so that a worker's claim falls before it or after it, never between.
    """
    statement = insert(session, OutboxRow).values(**row)
    due = case(
        (statement.excluded.due_at < OutboxRow.latest_at, statement.excluded.due_at),
        else_=OutboxRow.latest_at,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["subscriber_id", "kind"],
            index_where=PENDING,
            set_={"last_seq": statement.excluded.last_seq, "due_at": due},
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


ALL_STOP = aliased(Suppression)
ADDRESS_STOP = aliased(Suppression)


def stop_of(stop: type[Suppression], kind: str) -> ColumnElement[bool]:
    """Return the join of a subscriber with their suppression of one kind."""
    return and_(stop.subscriber_id == Subscriber.subscriber_id, stop.kind == kind)


def standings(session: Session, topic: str, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Return what decides whether each of `ids` may be mailed on `topic`; absent: never seen."""
    statement = (
        select(
            Subscriber.subscriber_id,
            Subscriber.email,
            Subscriber.erased_at,
            Subscription.status,
            ALL_STOP.kind.label("all_stop"),
            ADDRESS_STOP.kind.label("address_stop"),
        )
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Subscriber.subscriber_id,
                Subscription.topic == topic,
            ),
        )
        .outerjoin(ALL_STOP, stop_of(ALL_STOP, "all"))
        .outerjoin(ADDRESS_STOP, stop_of(ADDRESS_STOP, "address"))
        .where(Subscriber.subscriber_id.in_(ids))
    )
    return {row.subscriber_id: row for row in session.execute(statement)}


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
