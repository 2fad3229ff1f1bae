"""Queries that follow subscribers: what they did before or after they left.

Rows are joined by subscriber, so that a sharded engine joins them where they are.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import and_, case, distinct, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from preference_center.core.vocab import (
    OWN_SOURCES,
    SUPPRESSION_SCOPES,
    Event,
    Scope,
    Source,
)
from preference_center.store.report_queries import AnySelect, ReportFilter, day_of, last_day
from preference_center.store.tables import ASKED_FOR_LESS, Claim, LedgerRow

# After each of these, the subscriber does not receive the topics of the row.
_LEFT = (Event.UNSUBSCRIBED, Event.STAYED_OFF)
# Each of these ends what a row of _LEFT with the same topic or scope has begun.
_BACK = (Event.SUBSCRIBED, Event.RESUBSCRIBED, Event.UNDONE, Event.LIFTED)


def left_after(
    wanted: ReportFilter, less: Collection[Event], sources: Collection[Source]
) -> AnySelect:
    """Return each unsubscribe that followed an event of `less` by the same subscriber.

    Columns: subscriber_id; topic, campaign and asked_at of the event; left_at. `wanted` selects
    the event; the unsubscribe may come after `until`, and one that was undone does not count. Rows
    are ordered by subscriber. Events of erased subscribers no longer have a topic and are left out.
    """
    asked, left = aliased(LedgerRow), aliased(LedgerRow)
    later = and_(
        left.subscriber_id == asked.subscriber_id,
        left.seq > asked.seq,
        left.event == Event.UNSUBSCRIBED,
        left.source.in_(sources),
        or_(left.topic == asked.topic, left.scope == Scope.ALL),
        ~_was_undone(left),
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
        statement = statement.where(asked.recorded_at >= _midnight(day_of(wanted.since)))
    if wanted.until is not None:
        end = _midnight(last_day(wanted.until) + timedelta(days=1))
        statement = statement.where(asked.recorded_at < end)
    if wanted.topic is not None:
        statement = statement.where(asked.topic == wanted.topic)
    if wanted.campaign is not None:
        statement = statement.where(asked.campaign == wanted.campaign)
    return statement


def followed(since: datetime, until: datetime, limit: int) -> AnySelect:
    """Return when subscribers asked for less of a topic, and when they first left it after that.

    Columns: asked_at, left_at, count; both times are NULL for those who did not leave. An
    unsubscribe that was undone does not count. The newest `limit` requests count, each subscriber
    once for a topic. The rows are found by an index of such requests, and those of each subscriber
    by their key.
    """
    columns = (LedgerRow.subscriber_id, LedgerRow.seq, LedgerRow.topic, LedgerRow.occurred_at)
    newest = (
        select(*columns)
        .where(ASKED_FOR_LESS, LedgerRow.topic.is_not(None))
        .where(LedgerRow.recorded_at >= since, LedgerRow.recorded_at < until)
        .order_by(LedgerRow.recorded_at.desc())
        .limit(limit)
    )
    asked, left = newest.subquery(), aliased(LedgerRow)
    later = and_(
        left.subscriber_id == asked.c.subscriber_id,
        left.seq > asked.c.seq,
        left.event == Event.UNSUBSCRIBED,
        left.source.in_(OWN_SOURCES),
        or_(left.topic == asked.c.topic, left.scope == Scope.ALL),
        ~_was_undone(left),
    )
    first_left = func.min(left.occurred_at)
    first_asked = case((first_left.is_not(None), func.min(asked.c.occurred_at)))
    each = select(first_asked.label("asked_at"), first_left.label("left_at"))
    by_subscriber = (
        each.select_from(asked)
        .outerjoin(left, later)
        .group_by(asked.c.subscriber_id, asked.c.topic)
    )
    found = by_subscriber.subquery().c
    by = (found.asked_at, found.left_at)
    return select(*by, func.count().label("number")).group_by(*by)


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


def emailed_after_leaving(wanted: ReportFilter) -> AnySelect:
    """Return each email claimed after an unsubscribe that covers its topic and still held.

    Columns: subscriber_id, topic, campaign, claimed_at; left_at, recorded_at, scope and source of
    the unsubscribe. `wanted` selects the claim by its time. Rows are in the order of claims, an
    email once for each unsubscribe that it came after.
    """
    left, back = aliased(LedgerRow), aliased(LedgerRow)
    same_target = or_(
        and_(left.scope == Scope.TOPIC, back.topic == left.topic),
        and_(left.scope.in_(SUPPRESSION_SCOPES), back.scope == left.scope),
    )
    came_back = exists().where(
        back.subscriber_id == left.subscriber_id,
        back.seq > left.seq,
        back.event.in_(_BACK),
        same_target,
        back.occurred_at <= Claim.claimed_at,
    )
    covers = or_(left.topic == Claim.topic, left.scope.in_(SUPPRESSION_SCOPES))
    key = (Claim.subscriber_id, Claim.topic, Claim.campaign)
    statement: AnySelect = (
        select(
            *key,
            Claim.claimed_at,
            left.occurred_at.label("left_at"),
            left.recorded_at,
            left.scope,
            left.source,
        )
        .join(left, and_(left.subscriber_id == Claim.subscriber_id, covers))
        .where(
            Claim.released_at.is_(None),
            left.event.in_(_LEFT),
            left.occurred_at < Claim.claimed_at,
            ~came_back,
        )
        .order_by(*key, left.occurred_at, left.seq)
    )
    if wanted.topic is not None:
        statement = statement.where(Claim.topic == wanted.topic)
    if wanted.campaign is not None:
        statement = statement.where(Claim.campaign == wanted.campaign)
    if wanted.since is not None:
        statement = statement.where(Claim.claimed_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(Claim.claimed_at < wanted.until)
    return statement


def _was_undone(left: type[LedgerRow]) -> ColumnElement[bool]:
    undone = aliased(LedgerRow)
    same_target = or_(
        undone.topic == left.topic, and_(left.scope == Scope.ALL, undone.scope == Scope.ALL)
    )
    return exists().where(
        undone.subscriber_id == left.subscriber_id,
        undone.seq > left.seq,
        undone.event == Event.UNDONE,
        same_target,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
