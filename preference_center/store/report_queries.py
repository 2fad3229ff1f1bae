"""What the report asks: counts by topic and campaign, and a stream in the order of people."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, Subquery, and_, func, or_, select, union_all
from sqlalchemy.orm import aliased

from preference_center.core.vocab import Event
from preference_center.store.tables import AnonymizedReason, LedgerRow, PageView, Reason

AnySelect = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class ReportFilter:
    """Of one topic, of one campaign, recorded from `since` on and before `until`; None: of all.

    What is counted by the hour or the week counts where any of its time lies in between.
    """

    topic: str | None = None
    campaign: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page_views(wanted: ReportFilter) -> AnySelect:
    """Return how often links were opened: topic, campaign, count."""
    statement: AnySelect = select(PageView.topic, PageView.campaign, func.sum(PageView.count))
    if wanted.since is not None:
        statement = statement.where(PageView.hour > wanted.since - timedelta(hours=1))
    if wanted.until is not None:
        statement = statement.where(PageView.hour < wanted.until)
    return _of(statement, PageView, wanted).group_by(PageView.topic, PageView.campaign)


def acts(wanted: ReportFilter, events: Collection[str], sources: Collection[str]) -> AnySelect:
    """Return how often what was done: topic, campaign, event, scope, count.

    What an erased person did to a topic is of no topic any more, and left out.
    """
    by = (LedgerRow.topic, LedgerRow.campaign, LedgerRow.event, LedgerRow.scope)
    statement: AnySelect = select(*by, func.count()).where(
        LedgerRow.event.in_(events),
        LedgerRow.source.in_(sources),
        or_(LedgerRow.topic.is_not(None), LedgerRow.scope == "all"),
    )
    return _recorded(statement, LedgerRow, wanted).group_by(*by)


def left_after(wanted: ReportFilter, less: Collection[str], sources: Collection[str]) -> AnySelect:
    """Return each time somebody left a topic, or everything, at some time after an event of `less`.

    Columns: subscriber_id, and of the event topic, campaign and asked_at; then left_at. The
    event is what `wanted` speaks of; the leaving may come after `until`. In the order of people.
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
    return _recorded(statement, asked, wanted)


def reasons(wanted: ReportFilter) -> AnySelect:
    """Return how often which reason was given: topic, campaign, code, count."""
    given = all_reasons(wanted).c
    by = (given.topic, given.campaign, given.code)
    return select(*by, func.count()).group_by(*by)


def all_reasons(wanted: ReportFilter) -> Subquery:
    """Return the reasons that know their person and those that do not, without any person."""
    parts = []
    for table in (Reason, AnonymizedReason):
        part: AnySelect = select(table.week, table.topic, table.campaign, table.code, table.note)
        if wanted.since is not None:
            part = part.where(table.week > _day(wanted.since - timedelta(days=7)))
        if wanted.until is not None:
            part = part.where(table.week <= _day(wanted.until - timedelta(microseconds=1)))
        parts.append(_of(part, table, wanted))
    return union_all(*parts).subquery()


def _recorded(statement: AnySelect, table: type[LedgerRow], wanted: ReportFilter) -> AnySelect:
    if wanted.since is not None:
        statement = statement.where(table.recorded_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(table.recorded_at < wanted.until)
    return _of(statement, table, wanted)


def _of(statement: AnySelect, table: Any, wanted: ReportFilter) -> AnySelect:
    if wanted.topic is not None:
        statement = statement.where(table.topic == wanted.topic)
    if wanted.campaign is not None:
        statement = statement.where(table.campaign == wanted.campaign)
    return statement


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
