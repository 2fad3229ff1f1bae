"""The queries of the exports: each a stream in the order of its key, with an indexed filter."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Case,
    ColumnElement,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from preference_center.core.vocab import Scope, Source, Status
from preference_center.store.queries import ARE_ITS_DETAILS
from preference_center.store.report_queries import ReportFilter, all_reasons
from preference_center.store.streaming import AnySelect
from preference_center.store.tables import (
    LedgerDetail,
    LedgerRow,
    Slug,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
    Utc,
    Wording,
)

# Byte order on both engines, as for slugs.
_Bytewise = Text().with_variant(Text(collation="C"), "postgresql")

_Everything = aliased(SuppressionRow)
_Address = aliased(SuppressionRow)


def preferences(topic: str | None, since: datetime | None, until: datetime | None) -> AnySelect:
    """Return the effective status of every subscription, global unsubscribes included.

    Erased subscribers are left out: `suppressions` lists what remains of them.
    """
    status, changed_at, changed_by = _effective_status()
    statement: AnySelect = (
        select(
            SubscriberRow.email,
            SubscriptionRow.subscriber_id.label("id"),
            SubscriptionRow.topic,
            status.label("status"),
            SubscriptionRow.frequency,
            SubscriptionRow.paused_until,
            SubscriberRow.locale,
            SubscriptionRow.consent_at,
            SubscriptionRow.consent_source,
            Wording.text.label("consent_wording"),
            SubscriptionRow.basis,
            SubscriptionRow.acquired_from,
            type_coerce(changed_at, Utc).label("changed_at"),
            changed_by.label("changed_by"),
        )
        .join(SubscriberRow, SubscriberRow.subscriber_id == SubscriptionRow.subscriber_id)
        .outerjoin(Wording, Wording.digest == SubscriptionRow.consent_wording)
        .outerjoin(_Everything, _is_suppression(_Everything, Scope.ALL))
        .outerjoin(_Address, _is_suppression(_Address, Scope.ADDRESS))
        .where(SubscriberRow.erased_at.is_(None))
        .order_by(SubscriptionRow.subscriber_id, SubscriptionRow.topic)
    )
    if topic is not None:
        statement = statement.where(SubscriptionRow.topic == topic)
    return _within(statement, SubscriptionRow.updated_at, since, until)


def _effective_status() -> tuple[Case[Any], Case[Any], Case[Any]]:
    """Return the status of a subscription, and the time and the source of what decides it."""
    topic = (SubscriptionRow.changed_at, SubscriptionRow.source)
    everything = (_Everything.since, _Everything.source)
    address = (_Address.since, _Address.source)
    decisions: tuple[tuple[Any, str, Any, Any], ...] = (
        (_Address.source == Source.BOUNCE, "bounced", *address),
        (_Everything.source == Source.COMPLAINT, "complained", *everything),
        (SubscriptionRow.status == Status.UNSUBSCRIBED, "unsubscribed", *topic),
        (_Address.kind.is_not(None), "unsubscribed", *address),
        (_Everything.kind.is_not(None), "unsubscribed", *everything),
    )
    return (
        case(
            *((applies, status) for applies, status, *_ in decisions), else_=SubscriptionRow.status
        ),
        case(*((applies, at) for applies, _, at, _ in decisions), else_=SubscriptionRow.changed_at),
        case(*((applies, by) for applies, *_, by in decisions), else_=SubscriptionRow.source),
    )


def _is_suppression(table: type[SuppressionRow], kind: Scope) -> ColumnElement[bool]:
    """Return the join condition of a subscriber and a suppression of one kind."""
    return and_(table.subscriber_id == SubscriberRow.subscriber_id, table.kind == kind)


def suppressions(topic: str | None, since: datetime | None, until: datetime | None) -> AnySelect:
    """Return all suppressions; with `topic`, also the unsubscribes from that topic."""
    above: AnySelect = select(
        SubscriberRow.email,
        SuppressionRow.subscriber_id.label("id"),
        SuppressionRow.kind,
        null().cast(Slug).label("topic"),
        SuppressionRow.since,
        SuppressionRow.source,
        SubscriberRow.erased_at,
    ).join(SubscriberRow, SubscriberRow.subscriber_id == SuppressionRow.subscriber_id)
    above = _within(above, SuppressionRow.updated_at, since, until)
    if topic is None:
        return above.order_by(SuppressionRow.subscriber_id, SuppressionRow.kind)
    own: AnySelect = (
        select(
            SubscriberRow.email,
            SubscriptionRow.subscriber_id.label("id"),
            literal("topic").label("kind"),
            SubscriptionRow.topic,
            SubscriptionRow.changed_at.label("since"),
            SubscriptionRow.source,
            SubscriberRow.erased_at,
        )
        .join(SubscriberRow, SubscriberRow.subscriber_id == SubscriptionRow.subscriber_id)
        .where(SubscriptionRow.topic == topic, SubscriptionRow.status == Status.UNSUBSCRIBED)
    )
    both = union_all(above, _within(own, SubscriptionRow.updated_at, since, until)).subquery()
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
        .outerjoin(LedgerDetail, ARE_ITS_DETAILS)
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
