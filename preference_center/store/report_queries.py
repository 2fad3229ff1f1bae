"""The queries of the report: counts by topic and campaign, and a stream by subscriber.

Counts begin with the month, as `2026-11`, or "" unless they are asked for by month.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Select,
    String,
    Subquery,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from preference_center.core.vocab import Event
from preference_center.store.queries import among
from preference_center.store.tables import (
    AnonymizedReason,
    CampaignRow,
    EmailedCount,
    LedgerCount,
    PageView,
    Reason,
    SubscriberCount,
)

AnySelect = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class ReportFilter:
    """Selects a topic, a campaign, and the time from `since` to before `until`; None means all.

    Reasons are selected by whole weeks, everything else by whole days (UTC): those are included of
    which any part is.
    """

    topic: str | None = None
    campaign: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page_views(wanted: ReportFilter, *, by_month: bool) -> AnySelect:
    """Return the number of page views: month, topic, campaign, count."""
    statement = _sums(PageView, PageView.day, (), by_month=by_month)
    return _of(_on_days(statement, PageView.day, wanted), PageView, wanted)


def events(wanted: ReportFilter, kinds: Collection[Event], *, by_month: bool) -> AnySelect:
    """Return the number of events: month, topic, campaign, count, event, scope, source.

    Those of all topics at once, which have no topic, are returned whatever topic is wanted.
    """
    by = (LedgerCount.event, LedgerCount.scope, LedgerCount.source)
    statement = _sums(LedgerCount, LedgerCount.day, by, by_month=by_month)
    statement = statement.where(LedgerCount.event.in_(kinds))
    if wanted.topic is not None:
        statement = statement.where(LedgerCount.topic.in_((wanted.topic, "")))
    anywhere = replace(wanted, topic=None)
    return _of(_on_days(statement, LedgerCount.day, wanted), LedgerCount, anywhere)


def emailed(wanted: ReportFilter, *, by_month: bool) -> AnySelect:
    """Return the number of emails claimed: month, topic, campaign, count, first day."""
    statement = _sums(EmailedCount, EmailedCount.day, (), by_month=by_month)
    statement = statement.add_columns(func.min(EmailedCount.day).label("first_day"))
    return _of(_on_days(statement, EmailedCount.day, wanted), EmailedCount, wanted)


def sent(wanted: ReportFilter) -> AnySelect:
    """Return what campaigns without claims say: date, topic, campaign, number of emails sent."""
    claimed = select(EmailedCount.day).where(
        EmailedCount.topic == CampaignRow.topic, EmailedCount.campaign == CampaignRow.name
    )
    statement: AnySelect = select(
        CampaignRow.date, CampaignRow.topic, CampaignRow.name, CampaignRow.sent
    ).where(CampaignRow.sent.is_not(None), ~claimed.exists())
    if wanted.topic is not None:
        statement = statement.where(CampaignRow.topic == wanted.topic)
    if wanted.campaign is not None:
        statement = statement.where(CampaignRow.name == wanted.campaign)
    return _on_days(statement, CampaignRow.date, wanted)


def topics_of_campaigns(session: Session, named: Collection[str] | None = None) -> AnySelect:
    """Return the campaigns that only one topic has, of all or of those named: campaign, topic."""
    claimed = select(EmailedCount.topic, EmailedCount.campaign)
    stated = select(CampaignRow.topic, CampaignRow.name)
    if named is not None:
        claimed = claimed.where(among(session, EmailedCount.campaign, named))
        stated = stated.where(among(session, CampaignRow.name, named))
    known = union_all(claimed, stated).subquery()
    only = func.min(known.c.topic).label("topic")
    statement: AnySelect = select(known.c.campaign, only).group_by(known.c.campaign)
    return statement.having(only == func.max(known.c.topic))


def subscribers(wanted: ReportFilter) -> AnySelect:
    """Return how many subscribers of each topic there were at the end: topic, count."""
    statement: AnySelect = select(SubscriberCount.topic, func.sum(SubscriberCount.count))
    if wanted.topic is not None:
        statement = statement.where(SubscriberCount.topic == wanted.topic)
    return _until(statement, SubscriberCount.day, wanted).group_by(SubscriberCount.topic)


def subscribers_by_month(wanted: ReportFilter) -> AnySelect:
    """Return by how much subscribers of the topic, or of any, changed: month, difference."""
    month = _month(SubscriberCount.day)
    statement: AnySelect = select(month, func.sum(SubscriberCount.count))
    statement = statement.where(SubscriberCount.topic == (wanted.topic or ""))
    return _until(statement, SubscriberCount.day, wanted).group_by(month).order_by(month)


def reasons(wanted: ReportFilter, *, by_month: bool) -> AnySelect:
    """Return how often which reason was given: month, topic, campaign, count, code.

    Reasons of all topics are returned, whatever topic is wanted.
    """
    given = all_reasons(replace(wanted, topic=None)).c
    by = (given.topic, given.campaign, given.code)
    month = _month(given.week)
    first = month if by_month else literal("")
    return select(first, given.topic, given.campaign, func.count(), given.code).group_by(
        *by, *([month] if by_month else [])
    )


def all_reasons(wanted: ReportFilter) -> Subquery:
    """Return all reasons, anonymized or not, without subscribers."""
    parts = []
    for table in (Reason, AnonymizedReason):
        part: AnySelect = select(table.week, table.topic, table.campaign, table.code, table.note)
        if wanted.since is not None:
            part = part.where(table.week > day_of(wanted.since - timedelta(days=7)))
        if wanted.until is not None:
            part = part.where(table.week <= last_day(wanted.until))
        parts.append(_of(part, table, wanted))
    return union_all(*parts).subquery()


def _sums(table: Any, at: Any, others: tuple[Any, ...], *, by_month: bool) -> AnySelect:
    """Return the sums of the counts of a table: month, topic, campaign, count and `others`."""
    by = (table.topic, table.campaign, *others)
    first = _month(at) if by_month else literal("")
    statement: AnySelect = select(
        first, table.topic, table.campaign, func.sum(table.count), *others
    )
    return statement.group_by(*by, *([_month(at)] if by_month else []))


def _month(at: Any) -> Any:
    """Return the month of a day or a time, in UTC, as sessions on PostgreSQL are."""
    return func.substr(cast(at, String), literal_column("1"), literal_column("7"))


def _on_days(statement: AnySelect, day: Any, wanted: ReportFilter) -> AnySelect:
    if wanted.since is not None:
        statement = statement.where(day >= day_of(wanted.since))
    return _until(statement, day, wanted)


def _until(statement: AnySelect, day: Any, wanted: ReportFilter) -> AnySelect:
    return statement if wanted.until is None else statement.where(day <= last_day(wanted.until))


def _of(statement: AnySelect, table: Any, wanted: ReportFilter) -> AnySelect:
    if wanted.topic is not None:
        statement = statement.where(table.topic == wanted.topic)
    if wanted.campaign is not None:
        statement = statement.where(table.campaign == wanted.campaign)
    return statement


def day_of(at: datetime) -> date:
    """Return the UTC day of a time."""
    return at.astimezone(UTC).date()


def monday_of(day: date) -> date:
    """Return the first day of a week."""
    return day - timedelta(days=day.weekday())


def last_day(until: datetime) -> date:
    """Return the last UTC day of which a part is before `until`."""
    return day_of(until - timedelta.resolution)
