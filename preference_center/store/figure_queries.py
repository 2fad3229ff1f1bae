"""The queries of the console's figures. Each reads a range of days of the daily counts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from preference_center.core.vocab import Event, ReasonCode, Scope, Source
from preference_center.store.queries import among
from preference_center.store.report_queries import AnySelect, day_of, monday_of
from preference_center.store.tables import (
    FOLDED,
    UNFOLDED,
    AnonymizedReason,
    CampaignRow,
    EmailedCount,
    LedgerCount,
    LedgerDayCount,
    LedgerWeekCount,
    Reason,
    ReceivedCount,
    SubscriberCount,
)

ASKED = (Event.REDUCED, Event.PAUSED, Event.UNDONE)  # What subscribers do instead of leaving.


@dataclass(frozen=True)
class NotePlace:
    """The place of a note: notes come by week, the newest first, and in no order within one."""

    week: date
    id: UUID
    seq: int

    def __str__(self) -> str:
        return f"{self.week}.{self.id}.{self.seq}"

    @classmethod
    def read(cls, text: str | None) -> "NotePlace | None":
        """Return the place that a text says, or None, also if it says none."""
        week, _, rest = (text or "").partition(".")
        known, _, seq = rest.partition(".")
        try:
            return cls(date.fromisoformat(week), UUID(known), int(seq))
        except ValueError:
            return None


def subscribers_until(day: date) -> Select[int]:
    """Return how many received anything before a day."""
    total = select(func.coalesce(func.sum(SubscriberCount.count), 0))
    return total.where(SubscriberCount.topic == "", SubscriberCount.day < day)


def subscribers_by_day(since: date) -> AnySelect:
    """Return by how much the number of those who receive anything changed: day, difference."""
    day = SubscriberCount.day
    statement: AnySelect = select(day, func.sum(SubscriberCount.count))
    return statement.where(SubscriberCount.topic == "", day >= since).group_by(day)


def subscribers_by_topic() -> AnySelect:
    """Return how many receive each topic now, by frequency: topic, frequency, count."""
    by = (SubscriberCount.topic, SubscriberCount.frequency)
    statement: AnySelect = select(*by, func.sum(SubscriberCount.count))
    return statement.where(SubscriberCount.topic != "").group_by(*by)


def changes_by_day(events: Collection[Event], since: date) -> AnySelect:
    """Return the number of changes: day, event, scope, source, count."""
    folded, others = (
        select(table.day, table.event, table.scope, table.source, table.count).where(
            table.day >= since, table.event.in_(events)
        )
        for table in (LedgerDayCount, LedgerCount)
    )
    found = union_all(folded, others.where(UNFOLDED)).subquery().c
    by = (found.day, found.event, found.scope, found.source)
    return select(*by, func.sum(found.count).label("number")).group_by(*by)


def changes_by_kind(events: Collection[Event], since: date) -> AnySelect:
    """Return the number of changes: topic, campaign, event, scope, source, number.

    Whole weeks are read from their sums. What `fold` has not moved is not in those.
    """
    monday, day = monday_of(since + timedelta(days=6)), LedgerCount.day
    parts = (
        (LedgerWeekCount, LedgerWeekCount.week >= monday),
        (LedgerCount, and_(FOLDED, day >= since, day < monday)),
        (LedgerCount, and_(UNFOLDED, day >= since)),
    )
    rows = (
        select(row.topic, row.campaign, row.event, row.scope, row.source, row.count).where(
            condition, row.event.in_(events)
        )
        for row, condition in parts
    )
    *by, number = union_all(*rows).subquery().c
    return select(*by, func.sum(number).label("number")).group_by(*by)


def changes_by_mailing(
    rated: Collection[Source], own: Collection[Source], since: date
) -> AnySelect:
    """Return the sums of the columns of mailings: topic, campaign, and a sum by name for each.

    `unsubscribed` are those by the sources `rated`. What is asked for counts by the sources `own`:
    `asked` and `asked_everything` are who left one topic or everything, and were asked why.
    """
    found = changes_by_kind((Event.UNSUBSCRIBED, *ASKED), since).subquery().c
    left = found.event == Event.UNSUBSCRIBED
    by_subscriber = and_(found.source.in_(own), found.scope != Scope.ADDRESS)
    columns = {
        "unsubscribed": and_(left, found.source.in_(rated)),
        "left_everything": and_(left, found.scope != Scope.TOPIC),
        "left_complaint": and_(left, found.source == Source.COMPLAINT),
        "left_bounce": and_(left, found.source == Source.BOUNCE),
        "asked": and_(left, found.source.in_(own), found.scope == Scope.TOPIC),
        "asked_everything": and_(left, found.source.in_(own), found.scope != Scope.TOPIC),
        **{each.value: and_(found.event == each, by_subscriber) for each in ASKED},
    }
    sums = [
        # PostgreSQL's sum of sums would be a decimal.
        cast(func.sum(case((condition, found.number), else_=0)), BigInteger).label(name)
        for name, condition in columns.items()
    ]
    return select(found.topic, found.campaign, *sums).group_by(found.topic, found.campaign)


def changes_by_topic(event: Event, sources: Collection[Source], since: date) -> AnySelect:
    """Return the number of changes of one kind: topic, count."""
    statement: AnySelect = select(LedgerCount.topic, func.sum(LedgerCount.count))
    return statement.where(*_of(event, sources, since)).group_by(LedgerCount.topic)


def left_by_day(
    campaign: str, topics: Collection[str], sources: Collection[Source], event: Event, since: date
) -> AnySelect:
    """Return the number of changes of one kind by a campaign: day, count."""
    statement: AnySelect = select(LedgerCount.day, func.sum(LedgerCount.count))
    return statement.where(
        *_of(event, sources, since),
        LedgerCount.campaign == campaign,
        LedgerCount.topic.in_(topics),
    ).group_by(LedgerCount.day)


def received(since: date) -> AnySelect:
    """Return how many emails were claimed, and how many unsubscribed.

    Columns: how many emails the subscriber was sent within 30 days, whether those are who
    unsubscribed, count.
    """
    by = (ReceivedCount.received, ReceivedCount.unsubscribed)
    statement: AnySelect = select(*by, func.sum(ReceivedCount.count))
    return statement.where(ReceivedCount.day >= since).group_by(*by)


def counted(session: Session, campaigns: Collection[str]) -> AnySelect:
    """Return the mailings of these campaigns of which emails were counted: topic, campaign."""
    claimed = select(EmailedCount.topic, EmailedCount.campaign)
    stated = select(CampaignRow.topic, CampaignRow.name.label("campaign"))
    known = union(
        claimed.where(among(session, EmailedCount.campaign, campaigns)),
        stated.where(among(session, CampaignRow.name, campaigns), CampaignRow.sent.is_not(None)),
    ).subquery()
    return select(known.c.topic, known.c.campaign)


def reason_counts(since: datetime) -> AnySelect:
    """Return how often each reason was given: topic, code, count.

    Only the week of an anonymized reason is known: it counts if all of that is within the time.
    """
    # Each is counted where it is, so that a cluster does not send its rows.
    given, old = (
        select(row.topic, row.code, func.count().label("number"))
        .where(condition)
        .group_by(row.topic, row.code)
        for row, condition in (
            (Reason, Reason.given_at >= since),
            (AnonymizedReason, _is_within(since)),
        )
    )
    found = union_all(given, old).subquery().c
    return select(found.topic, found.code, func.sum(found.number)).group_by(found.topic, found.code)


def notes(
    since: datetime,
    topic: str | None,
    code: ReasonCode | None,
    after: NotePlace | None,
    limit: int,
) -> AnySelect:
    """Return notes in the order of their places: week, id, seq, topic, code, note."""
    given = _notes(Reason, Reason.subscriber_id, Reason.seq, Reason.given_at >= since)
    old = _notes(AnonymizedReason, AnonymizedReason.id, literal(0), _is_within(since))
    found = union_all(given, old).subquery().c
    statement: AnySelect = select(
        found.week, found.id, found.seq, found.topic, found.code, found.note
    )
    if topic is not None:
        statement = statement.where(func.coalesce(found.topic, "") == topic)
    if code is not None:
        statement = statement.where(found.code == code)
    if after is not None:
        later = or_(found.id > after.id, and_(found.id == after.id, found.seq > after.seq))
        statement = statement.where(
            or_(found.week < after.week, and_(found.week == after.week, later))
        )
    return statement.order_by(found.week.desc(), found.id, found.seq).limit(limit)


def _notes(table: Any, key: Any, seq: Any, within: ColumnElement[bool]) -> AnySelect:
    columns = (table.week, key.label("id"), seq.label("seq"), table.topic, table.code, table.note)
    statement: AnySelect = select(*columns)
    return statement.where(within, table.note != "")


def _is_within(since: datetime) -> ColumnElement[bool]:
    return AnonymizedReason.week >= day_of(since)


def _of(event: Event, sources: Collection[Source], since: date) -> list[ColumnElement[bool]]:
    return [
        LedgerCount.day >= since,
        LedgerCount.event == event,
        LedgerCount.source.in_(sources),
    ]
