"""The queries of the exports: each a stream in the order of its key.

Rows are selected by the statement. Each is a plain scan, for which a topic or a time has an index.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Case,
    ColumnElement,
    String,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased

from preference_center.core.vocab import (
    SILENCE_MEANS_NO,
    Frequency,
    ImportStatus,
    Scope,
    Source,
    Status,
)
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
    Word,
    Wording,
)

# Byte order on both engines, as for slugs.
Bytewise = Text().with_variant(Text(collation="C"), "postgresql")

_Everything = aliased(SuppressionRow)
_Address = aliased(SuppressionRow)


@dataclass(frozen=True)
class ExportFilter:
    """Selects the rows of an export. None selects all.

    `since` and `until` select those that changed at `since` or later and before `until`. `status`
    is a word of the export's own vocabulary. Not every export has every filter.
    """

    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: StrEnum | None = None
    frequency: Frequency | None = None
    locale: str | None = None
    campaign: str | None = None


def preferences(wanted: ExportFilter) -> AnySelect:
    """Return the effective status of every subscription, global unsubscribes included.

    Erased subscribers are left out: `suppressions` lists what remains of them.
    """
    status, changed_at, changed_by = _effective_status()
    statement: AnySelect = (
        select(
            SubscriberRow.email,
            SubscriptionRow.subscriber_id.label("id"),
            SubscriptionRow.topic,
            type_coerce(status, Word(ImportStatus)).label("status"),
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
            type_coerce(_silence(), String(len(SILENCE_MEANS_NO))).label("silence"),
        )
        .join(SubscriberRow, SubscriberRow.subscriber_id == SubscriptionRow.subscriber_id)
        .outerjoin(Wording, Wording.digest == SubscriptionRow.consent_wording)
        .outerjoin(_Everything, _is_suppression(_Everything, Scope.ALL))
        .outerjoin(_Address, _is_suppression(_Address, Scope.ADDRESS))
        .where(SubscriberRow.erased_at.is_(None))
        .order_by(SubscriptionRow.subscriber_id, SubscriptionRow.topic)
    )
    statement = within(statement, SubscriptionRow.updated_at, wanted)
    return equal(
        statement,
        (SubscriptionRow.topic, wanted.topic),
        (status, wanted.status),
        (SubscriptionRow.frequency, wanted.frequency),
        (SubscriberRow.locale, wanted.locale),
    )


def _silence() -> Case[Any]:
    """Return a word where silence means no, also on topics whose policy is `opt_out`."""
    return case((SubscriberRow.explicit_from.is_not(None), SILENCE_MEANS_NO))


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


# A further column of suppressions: filled for the id of another spelling of an address, unless that
# spelling is on record as an address of its own.
_IS_ONLY_SPELLING = and_(SubscriberRow.is_spelling, SubscriberRow.email.is_(None))
SPELLING = type_coerce(case((_IS_ONLY_SPELLING, "spelling")), String(8)).label("spelling")


def suppressions(wanted: ExportFilter, *more: Any) -> AnySelect:
    """Return all suppressions; with a topic, also the unsubscribes from that topic.

    `more` are further columns of the subscriber.
    """
    if wanted.topic is not None:
        return stops(wanted, *more)
    return _suppressions(wanted, *more).order_by(SuppressionRow.subscriber_id, SuppressionRow.kind)


def stops(wanted: ExportFilter, *more: Any) -> AnySelect:
    """Return all suppressions, and the unsubscribes from the topic or, without one, from any."""
    own: AnySelect = (
        select(
            SubscriberRow.email,
            SubscriptionRow.subscriber_id.label("id"),
            literal_column(f"'{Scope.TOPIC}'").label("kind"),
            SubscriptionRow.topic,
            SubscriptionRow.changed_at.label("since"),
            SubscriptionRow.source,
            SubscriberRow.erased_at,
            *more,
        )
        .join(SubscriberRow, SubscriberRow.subscriber_id == SubscriptionRow.subscriber_id)
        .where(SubscriptionRow.status == Status.UNSUBSCRIBED)
    )
    own = equal(
        within(own, SubscriptionRow.updated_at, wanted),
        (SubscriptionRow.topic, wanted.topic),
        (_status_of(SubscriptionRow.source), wanted.status),
        (SubscriberRow.locale, wanted.locale),
    )
    both = union_all(_suppressions(wanted, *more), own).subquery()
    return select(both).order_by(both.c.id, both.c.kind, both.c.topic)


def _suppressions(wanted: ExportFilter, *more: Any) -> AnySelect:
    statement: AnySelect = select(
        SubscriberRow.email,
        SuppressionRow.subscriber_id.label("id"),
        SuppressionRow.kind,
        null().cast(Slug).label("topic"),
        SuppressionRow.since,
        SuppressionRow.source,
        SubscriberRow.erased_at,
        *more,
    ).join(SubscriberRow, SubscriberRow.subscriber_id == SuppressionRow.subscriber_id)
    return equal(
        within(statement, SuppressionRow.updated_at, wanted),
        (_status_of(SuppressionRow.source), wanted.status),
        (SubscriberRow.locale, wanted.locale),
    )


def _status_of(source: Any) -> Case[Any]:
    """Return the status that an unsubscribe from a source amounts to."""
    return case(
        (source == Source.BOUNCE, ImportStatus.BOUNCED.value),
        (source == Source.COMPLAINT, ImportStatus.COMPLAINED.value),
        else_=ImportStatus.UNSUBSCRIBED.value,
    )


def ledger(wanted: ExportFilter) -> AnySelect:
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
    statement = within(statement, LedgerRow.recorded_at, wanted)
    return equal(statement, (LedgerRow.topic, wanted.topic), (LedgerRow.campaign, wanted.campaign))


def reasons(wanted: ExportFilter) -> AnySelect:
    """Return the reasons for leaving, by week, without subscribers."""
    chosen = ReportFilter(wanted.topic, wanted.campaign, wanted.since, wanted.until)
    given = all_reasons(chosen).c
    columns = (given.topic, given.campaign, given.code, given.note)
    ordered = (cast(func.coalesce(column, ""), Bytewise) for column in columns)
    return select(given.week, *columns).order_by(given.week, *ordered)


def within(statement: AnySelect, column: Any, wanted: ExportFilter) -> AnySelect:
    """Return the statement for the times from `wanted.since` to before `wanted.until`."""
    if wanted.since is not None:
        statement = statement.where(column >= wanted.since)
    return statement if wanted.until is None else statement.where(column < wanted.until)


def equal(statement: AnySelect, *pairs: tuple[Any, Any]) -> AnySelect:
    """Return the statement for the rows where each column has its value, if that is not None."""
    return statement.where(*(column == value for column, value in pairs if value is not None))
