"""Statements that the ORM cannot express: upserts, locks and batches, each in one round trip."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Dialect,
    Table,
    and_,
    any_,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from preference_center.core.vocab import Frequency, Scope, Status
from preference_center.store import citus
from preference_center.store.tables import (
    UNSETTLED,
    Base,
    Claim,
    LedgerDetail,
    LedgerRow,
    OutboxRow,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
    Utc,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert = postgresql.Insert | sqlite.Insert

_Value = TypeVar("_Value", UUID, str)

# Citus refuses a lock of several subscribers, so there they are locked one by one.
_LOCK_ONE = "SELECT FROM subscribers WHERE subscriber_id = %b FOR UPDATE"
_MAX_CANDIDATES = 50  # More than there are workers that lease an email at the same moment.


def insert(session: Session, table: type[Base]) -> "Insert":
    """Return an insert of this engine's dialect, which supports `ON CONFLICT`."""
    dialect: Dialect = session.get_bind().dialect
    assert isinstance(table.__table__, Table)  # noqa: S101 (for the type checker)
    # Not above: the engine has imported its own dialect, and the other one takes 40 ms.
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table.__table__)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table.__table__)


def insert_missing(session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert the rows whose key does not exist yet."""
    if values := list(rows):
        session.execute(insert(session, table).on_conflict_do_nothing(), values)


# The join condition of a ledger row and its details.
ARE_ITS_DETAILS = and_(
    LedgerDetail.subscriber_id == LedgerRow.subscriber_id, LedgerDetail.seq == LedgerRow.seq
)


class DeliveryRules(NamedTuple):
    """What decides whether a subscriber may be emailed on a topic.

    `last_claim` is the newest claim of another campaign, read only for subscriptions with a cap.
    `stopped` says whether there is a suppression. `explicit_from` is None unless silence means no.
    """

    subscriber_id: UUID
    email: str | None
    erased_at: datetime | None
    status: Status | None
    frequency: Frequency | None
    paused_until: datetime | None
    last_claim: datetime | None
    stopped: bool
    explicit_from: int | None


def load_delivery_rules(
    session: Session, topic: str, campaign: str, ids: Sequence[UUID], since: datetime
) -> dict[UUID, DeliveryRules]:
    """Return the rules for each of `ids` that is on record. Claims before `since` do not count."""
    last_claim = (
        select(func.max(Claim.claimed_at))
        .where(
            Claim.subscriber_id == SubscriberRow.subscriber_id,
            Claim.topic == topic,
            Claim.campaign != campaign,
            Claim.claimed_at > since,
            Claim.released_at.is_(None),
        )
        .scalar_subquery()
    )
    stops = select(SuppressionRow.kind).where(
        SuppressionRow.subscriber_id == SubscriberRow.subscriber_id
    )
    statement = (
        select(
            SubscriberRow.subscriber_id,
            SubscriberRow.email,
            SubscriberRow.erased_at,
            SubscriptionRow.status,
            SubscriptionRow.frequency,
            SubscriptionRow.paused_until,
            case((SubscriptionRow.frequency != Frequency.EVERY, last_claim)),
            stops.exists(),
            SubscriberRow.explicit_from,
        )
        .outerjoin(
            SubscriptionRow,
            and_(
                SubscriptionRow.subscriber_id == SubscriberRow.subscriber_id,
                SubscriptionRow.topic == topic,
            ),
        )
        .where(among(session, SubscriberRow.subscriber_id, ids))
    )
    return {row[0]: DeliveryRules(*row) for row in session.execute(statement)}


class AddressRules(NamedTuple):
    """What decides whether any email may be sent to a subscriber: one that a topic does not cover.

    `stopped` says whether there is a suppression of the address.
    """

    subscriber_id: UUID
    email: str | None
    erased_at: datetime | None
    stopped: bool


def load_address_rules(session: Session, ids: Collection[UUID]) -> dict[UUID, AddressRules]:
    """Return the rules for each of `ids` that is on record."""
    stops = select(SuppressionRow.kind).where(
        SuppressionRow.subscriber_id == SubscriberRow.subscriber_id,
        SuppressionRow.kind == Scope.ADDRESS,
    )
    statement = select(
        SubscriberRow.subscriber_id, SubscriberRow.email, SubscriberRow.erased_at, stops.exists()
    ).where(among(session, SubscriberRow.subscriber_id, list(ids)))
    return {row[0]: AddressRules(*row) for row in session.execute(statement)}


def among(
    session: Session, column: InstrumentedAttribute[_Value], wanted: Collection[_Value]
) -> ColumnElement[bool]:
    """Return the condition that a column has a wanted value, in one parameter however many."""
    if session.get_bind().dialect.name == "sqlite":
        stored = [each.hex if isinstance(each, UUID) else each for each in wanted]
        values = func.json_each(dumps(stored)).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam(None, list(wanted), ARRAY(column.type)))


def lock_ids(session: Session, ids: Iterable[UUID]) -> None:
    """Lock the subscribers among `ids` that are on record, in the order of their ids."""
    if session.get_bind().dialect.name == "sqlite":  # Its transactions lock the whole database.
        return
    ordered = sorted(ids)
    if not ordered:
        return
    if citus.is_distributed(session):  # psycopg does not wait for each answer.
        citus.run_each(session.connection(), _LOCK_ONE, [(each,) for each in ordered])
        return
    column = SubscriberRow.subscriber_id
    statement = select(column).where(among(session, column, ordered)).order_by(column)
    session.execute(statement.with_for_update()).all()


def lock_available(session: Session, ids: Iterable[UUID]) -> list[UUID]:
    """Lock those of `ids` that no other transaction has locked, without waiting; return them."""
    ordered, column = sorted(ids), SubscriberRow.subscriber_id
    locked = select(column).order_by(column).with_for_update(skip_locked=True)
    if citus.is_distributed(session):
        alone = locked.where(column == bindparam("id"))
        return [own for each in ordered for own in session.scalars(alone, {"id": each})]
    return list(session.scalars(locked.where(among(session, column, ordered))))


def lock_due_email(session: Session, now: datetime) -> OutboxRow | None:
    """Return the email that has been due longest and that no other worker has locked, locked.

    None if there is none among the first `_MAX_CANDIDATES`.
    """
    is_due = and_(UNSETTLED, OutboxRow.due_at <= now)
    key = (OutboxRow.subscriber_id, OutboxRow.id)
    due = select(*key).where(is_due).order_by(OutboxRow.due_at).limit(_MAX_CANDIDATES)
    # One at a time: Citus refuses a lock of emails to several subscribers.
    for subscriber_id, email_id in session.execute(due).all():
        this = (OutboxRow.subscriber_id == subscriber_id, OutboxRow.id == email_id)
        locked = select(OutboxRow).where(*this, is_due).with_for_update(skip_locked=True)
        if (row := session.scalars(locked).first()) is not None:
            return row
    return None


def database_time(session: Session) -> datetime:
    """Return the current time of the database's clock; on SQLite, the machine's in milliseconds."""
    if session.get_bind().dialect.name == "sqlite":
        now = func.strftime("%Y-%m-%d %H:%M:%f000", "now", type_=Utc)
    else:
        now = func.clock_timestamp(type_=Utc)
    return session.scalars(select(now)).one()
