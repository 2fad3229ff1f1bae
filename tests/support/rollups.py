"""What the roll-ups say, and what the ledger and the claims say."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.vocab import RATED_SOURCES, Event, Status
from preference_center.store import figure_queries
from preference_center.store.tables import (
    Claim,
    LedgerCount,
    LedgerRow,
    ReceivedCount,
    SubscriberCount,
    SubscriptionRow,
    SuppressionRow,
)

Counts = Counter[tuple[Any, ...]]  # By day, topic, campaign, event, scope and source.
_WITHIN = timedelta(days=30)


def rolled_up(session: Session) -> Counts:
    """Return the counts of ledger rows."""
    counts = Counts()
    for *key, _slot, count in session.execute(select(LedgerCount.__table__)):
        counts[tuple(key)] += count
    return counts


def counted(session: Session) -> Counts:
    """Return the same from the ledger. An erasure removes topics and campaigns there."""
    about = (LedgerRow.topic, LedgerRow.campaign, LedgerRow.event, LedgerRow.scope)
    rows = session.execute(select(LedgerRow.recorded_at, *about, LedgerRow.source))
    return Counter(
        (recorded_at.date(), topic or "", campaign or "", *others)
        for recorded_at, topic, campaign, *others in rows
    )


def receiving(session: Session) -> Counts:
    """Return how many receive each topic, by their frequency."""
    counts = Counts()
    for _day, *key, _slot, count in session.execute(select(SubscriberCount.__table__)):
        counts[tuple(key)] += count
    return +counts


def receiving_counted(session: Session) -> Counts:
    """Return the same from the subscriptions, and how many receive any topic."""
    own = SubscriptionRow.subscriber_id
    stopped = select(SuppressionRow.kind).where(SuppressionRow.subscriber_id == own).exists()
    columns = select(own, SubscriptionRow.topic, SubscriptionRow.frequency)
    found = columns.where(SubscriptionRow.status == Status.SUBSCRIBED, ~stopped)
    rows = session.execute(found).all()
    anyone = Counts({("", ""): len({each for each, *_ in rows})})
    return +(Counts((topic, frequency) for _, topic, frequency in rows) + anyone)


def by_day(session: Session) -> Counts:
    """Return the counts of ledger rows by day, event, scope and source, as charts read them."""
    rows = session.execute(figure_queries.changes_by_day(tuple(Event), date.min))
    return Counter({tuple(key): number for *key, number in rows})


def by_kind(session: Session, since: date) -> Counts:
    """Return the counts of ledger rows without days and slots, as the mailings' are read."""
    rows = session.execute(figure_queries.changes_by_kind(tuple(Event), since))
    return Counter({tuple(key): number for *key, number in rows})


def received(session: Session) -> Counts:
    """Return the counts by emails received: by day, number of emails, and who unsubscribed."""
    counts = Counts()
    for *key, _slot, count in session.execute(select(ReceivedCount.__table__)):
        counts[tuple(key)] += count
    return +counts


def received_counted(session: Session) -> Counts:
    """Return the same from the claims and the ledger, before anyone is erased."""
    claims = session.scalars(select(Claim)).all()
    left = select(LedgerRow).where(LedgerRow.event == Event.UNSUBSCRIBED)
    rows = session.scalars(left.where(LedgerRow.source.in_(RATED_SOURCES)))
    return Counter(
        [
            *(_key(each.claimed_at, claims, each, False) for each in _held(claims)),
            *(_key(each.recorded_at, claims, each, True) for each in rows),
        ]
    )


def _held(claims: Any) -> Iterator[Any]:
    return (each for each in claims if each.released_at is None)


def _key(
    at: datetime, claims: Any, row: Any, unsubscribed: bool
) -> tuple[date, EmailsReceived, bool]:
    """Return the key of a claim or a ledger row: how many emails were on record at its time."""
    number = sum(
        each.subscriber_id == row.subscriber_id
        and at - _WITHIN < each.claimed_at <= at
        and (each.released_at is None or each.released_at > at)
        for each in claims
    )
    return at.date(), EmailsReceived.of(number), unsubscribed
