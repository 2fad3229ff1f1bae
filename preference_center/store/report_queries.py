"""The queries of the report: counts by topic and campaign, and a stream by subscriber."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, Subquery, and_, case, distinct, func, or_, select, union_all
from sqlalchemy.orm import aliased

from preference_center.core.vocab import Event, Source
from preference_center.store.tables import (
    AnonymizedReason,
    Claim,
    LedgerCount,
    LedgerRow,
    PageView,
    Reason,
)

AnySelect = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class ReportFilter:
    """Selects a topic, a campaign, and the time from `since` to before `until`; None means all.

    Changes are selected by whole days (UTC), page views by hours and reasons by weeks: those are
    included of which any part is.
    """

    topic: str | None = None
    campaign: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page_views(wanted: ReportFilter) -> AnySelect:
    """Return the number of page views: topic, campaign, count."""
    statement: AnySelect = select(PageView.topic, PageView.campaign, func.sum(PageView.count))
    if wanted.since is not None:
        statement = statement.where(PageView.hour > wanted.since - timedelta(hours=1))
    if wanted.until is not None:
        statement = statement.where(PageView.hour < wanted.until)
    return _of(statement, PageView, wanted).group_by(PageView.topic, PageView.campaign)


def events(
    wanted: ReportFilter, kinds: Collection[Event], sources: Collection[Source]
) -> AnySelect:
    """Return the number of events: topic, campaign, event, scope, count."""
    by = (LedgerCount.topic, LedgerCount.campaign, LedgerCount.event, LedgerCount.scope)
    statement: AnySelect = select(*by, func.sum(LedgerCount.count)).where(
        LedgerCount.event.in_(kinds), LedgerCount.source.in_(sources)
    )
    if wanted.since is not None:
        statement = statement.where(LedgerCount.day >= _day(wanted.since))
    if wanted.until is not None:
        statement = statement.where(LedgerCount.day <= _last_day(wanted.until))
    return _of(statement, LedgerCount, wanted).group_by(*by)


def left_after(
    wanted: ReportFilter, less: Collection[Event], sources: Collection[Source]
) -> AnySelect:
    """Return each unsubscribe that followed an event of `less` by the same subscriber.

    Columns: subscriber_id; topic, campaign and asked_at of the event; left_at. `wanted` selects
    the event; the unsubscribe may come after `until`. Rows are ordered by subscriber. Events of
    erased subscribers no longer have a topic and are left out.
    """
    asked, left = aliased(LedgerRow), aliased(LedgerRow)
    later = and_(
        left.subscriber_id == asked.subscriber_id,
        left.seq > asked.seq,
        left.event == Event.UNSUBSCRIBED,
        left.source.in_(sources),
        or_(left.topic == asked.topic, left.scope == "all"),
    )
    statement: AnySelect = (
        select(
            asked.subscriber_id,
            asked.topic,
            asked.campaign,
            asked.occurred_at.label("asked_at"),
            left.occurred_at.label("left_at"),
        )
        .join(left, later)
        .where(asked.event.in_(less), asked.source.in_(sources), asked.topic.is_not(None))
        .order_by(asked.subscriber_id)
    )
    if wanted.since is not None:
        statement = statement.where(asked.recorded_at >= _midnight(_day(wanted.since)))
    if wanted.until is not None:
        end = _midnight(_last_day(wanted.until) + timedelta(days=1))
        statement = statement.where(asked.recorded_at < end)
    return _of(statement, asked, wanted)


def people(less: Collection[Event], sources: Collection[Source]) -> AnySelect:
    """Return how many subscribers unsubscribed or did one of `less`: topic, count, those of `less`.

    Each subscriber is counted once for a topic. Unsubscribes from all topics have no topic, and
    erased subscribers have none either.
    """
    asked = distinct(case((LedgerRow.event.in_(less), LedgerRow.subscriber_id)))
    statement: AnySelect = select(
        LedgerRow.topic, func.count(distinct(LedgerRow.subscriber_id)), func.count(asked)
    ).where(
        LedgerRow.event.in_((Event.UNSUBSCRIBED, *less)),
        LedgerRow.source.in_(sources),
        LedgerRow.topic.is_not(None),
    )
    return statement.group_by(LedgerRow.topic)


def claims() -> AnySelect:
    """Return the number of emails claimed and not released: topic, campaign, count."""
    statement: AnySelect = select(Claim.topic, Claim.campaign, func.count())
    return statement.where(Claim.released_at.is_(None)).group_by(Claim.topic, Claim.campaign)


def reasons(wanted: ReportFilter) -> AnySelect:
    """Return how often which reason was given: topic, campaign, code, count."""
    given = all_reasons(wanted).c
    by = (given.topic, given.campaign, given.code)
    return select(*by, func.count()).group_by(*by)


def all_reasons(wanted: ReportFilter) -> Subquery:
    """Return all reasons, anonymized or not, without subscribers."""
    parts = []
    for table in (Reason, AnonymizedReason):
        part: AnySelect = select(table.week, table.topic, table.campaign, table.code, table.note)
        if wanted.since is not None:
            part = part.where(table.week > _day(wanted.since - timedelta(days=7)))
        if wanted.until is not None:
            part = part.where(table.week <= _last_day(wanted.until))
        parts.append(_of(part, table, wanted))
    return union_all(*parts).subquery()


def _of(statement: AnySelect, table: Any, wanted: ReportFilter) -> AnySelect:
    if wanted.topic is not None:
        statement = statement.where(table.topic == wanted.topic)
    if wanted.campaign is not None:
        statement = statement.where(table.campaign == wanted.campaign)
    return statement


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _last_day(until: datetime) -> date:
    return _day(until - timedelta.resolution)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
