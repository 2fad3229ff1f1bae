"""The queries of the exports: each a stream in the order of its key, with an indexed filter."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from preference_center.core.vocab import Scope, Source, Status
from preference_center.store.queries import ADDRESS_SUPPRESSION, ALL_SUPPRESSION, is_suppression_of
from preference_center.store.report_queries import ReportFilter, all_reasons
from preference_center.store.tables import (
    LedgerDetail,
    LedgerRow,
    Slug,
    Subscriber,
    Subscription,
    Suppression,
    Utc,
    Wording,
)

AnySelect = Select[*tuple[Any, ...]]

# Byte order on both engines, as for slugs.
_Bytewise = Text().with_variant(Text(collation="C"), "postgresql")


def preferences(topic: str | None, since: datetime | None, until: datetime | None) -> AnySelect:
    """Return the effective status of every subscription, global unsubscribes included.

    Erased subscribers are left out: `suppressions` lists what remains of them.
    """
    bounced = ADDRESS_SUPPRESSION.source == Source.BOUNCE
    complained = ALL_SUPPRESSION.source == Source.COMPLAINT
    own_stop = Subscription.status == Status.UNSUBSCRIBED
    status = case(
        (bounced, "bounced"),
        (complained, "complained"),
        (own_stop, "unsubscribed"),
        (
            or_(ADDRESS_SUPPRESSION.kind.is_not(None), ALL_SUPPRESSION.kind.is_not(None)),
            "unsubscribed",
        ),
        else_=Subscription.status,
    )
    # The suppression that decides the status also supplies time and source.
    any_address, any_all = ADDRESS_SUPPRESSION.kind.is_not(None), ALL_SUPPRESSION.kind.is_not(None)
    changed_at = case(
        (bounced, ADDRESS_SUPPRESSION.since),
        (complained, ALL_SUPPRESSION.since),
        (own_stop, Subscription.changed_at),
        (any_address, ADDRESS_SUPPRESSION.since),
        (any_all, ALL_SUPPRESSION.since),
        else_=Subscription.changed_at,
    )
    changed_by = case(
        (bounced, ADDRESS_SUPPRESSION.source),
        (complained, ALL_SUPPRESSION.source),
        (own_stop, Subscription.source),
        (any_address, ADDRESS_SUPPRESSION.source),
        (any_all, ALL_SUPPRESSION.source),
        else_=Subscription.source,
    )
    statement: AnySelect = (
        select(
            Subscriber.email,
            Subscription.subscriber_id.label("id"),
            Subscription.topic,
            status.label("status"),
            Subscription.frequency,
            Subscription.paused_until,
            Subscriber.locale,
            Subscription.consent_at,
            Subscription.consent_source,
            Wording.text.label("consent_wording"),
            Subscription.basis,
            Subscription.acquired_from,
            type_coerce(changed_at, Utc).label("changed_at"),
            changed_by.label("changed_by"),
        )
        .join(Subscriber, Subscriber.subscriber_id == Subscription.subscriber_id)
        .outerjoin(Wording, Wording.digest == Subscription.consent_wording)
        .outerjoin(ALL_SUPPRESSION, is_suppression_of(ALL_SUPPRESSION, Scope.ALL))
        .outerjoin(ADDRESS_SUPPRESSION, is_suppression_of(ADDRESS_SUPPRESSION, Scope.ADDRESS))
        .where(Subscriber.erased_at.is_(None))
        .order_by(Subscription.subscriber_id, Subscription.topic)
    )
    if topic is not None:
        statement = statement.where(Subscription.topic == topic)
    return _within(statement, Subscription.updated_at, since, until)


def suppressions(topic: str | None, since: datetime | None, until: datetime | None) -> AnySelect:
    """Return all suppressions; with `topic`, also the unsubscribes from that topic."""
    above: AnySelect = select(
        Subscriber.email,
        Suppression.subscriber_id.label("id"),
        Suppression.kind,
        null().cast(Slug).label("topic"),
        Suppression.since,
        Suppression.source,
        Subscriber.erased_at,
    ).join(Subscriber, Subscriber.subscriber_id == Suppression.subscriber_id)
    above = _within(above, Suppression.updated_at, since, until)
    if topic is None:
        return above.order_by(Suppression.subscriber_id, Suppression.kind)
    own: AnySelect = (
        select(
            Subscriber.email,
            Subscription.subscriber_id.label("id"),
            literal("topic").label("kind"),
            Subscription.topic,
            Subscription.changed_at.label("since"),
            Subscription.source,
            Subscriber.erased_at,
        )
        .join(Subscriber, Subscriber.subscriber_id == Subscription.subscriber_id)
        .where(Subscription.topic == topic, Subscription.status == Status.UNSUBSCRIBED)
    )
    both = union_all(above, _within(own, Subscription.updated_at, since, until)).subquery()
    return select(both).order_by(both.c.id, both.c.kind)


def ledger(topic: str | None, since: datetime | None, until: datetime | None) -> AnySelect:
    """Return every ledger row with its details, in order for each subscriber."""
    wording = aliased(Wording)
    statement: AnySelect = (
        select(
            LedgerRow.subscriber_id.label("id"),
            LedgerRow.seq,
            LedgerRow.event,
            LedgerRow.scope,
            LedgerRow.topic,
            LedgerRow.source,
            LedgerRow.campaign,
            LedgerRow.occurred_at,
            LedgerRow.recorded_at,
            wording.text.label("wording"),
            LedgerDetail.after,
            LedgerRow.hash,
        )
        .outerjoin(
            LedgerDetail,
            and_(
                LedgerDetail.subscriber_id == LedgerRow.subscriber_id,
                LedgerDetail.seq == LedgerRow.seq,
            ),
        )
        .outerjoin(wording, wording.digest == LedgerRow.wording)
        .order_by(LedgerRow.subscriber_id, LedgerRow.seq)
    )
    if topic is not None:
        statement = statement.where(LedgerRow.topic == topic)
    return _within(statement, LedgerRow.recorded_at, since, until)


def reasons(topic: str | None, since: datetime | None, until: datetime | None) -> AnySelect:
    """Return the reasons for leaving, by week, without subscribers."""
    given = all_reasons(ReportFilter(topic, None, since, until)).c
    columns = (given.topic, given.campaign, given.code, given.note)
    ordered = (cast(func.coalesce(column, ""), _Bytewise) for column in columns)
    return select(given.week, *columns).order_by(given.week, *ordered)


def _within(
    statement: AnySelect, column: Any, since: datetime | None, until: datetime | None
) -> AnySelect:
    if since is not None:
        statement = statement.where(column >= since)
    return statement if until is None else statement.where(column < until)
