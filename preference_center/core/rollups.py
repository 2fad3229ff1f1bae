"""Count what is recorded by day, so that a report and a page need not count subscribers' rows.

A count names no subscriber. An erasure does not change those of the ledger and of emails.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.vocab import RATED_SOURCES, Event
from preference_center.store import claim_queries, sets, write_last
from preference_center.store.pipelines import pipeline
from preference_center.store.report_queries import day_of, monday_of
from preference_center.store.tables import (
    UNFOLDED,
    Base,
    EmailedCount,
    LedgerCount,
    LedgerDayCount,
    LedgerWeekCount,
    ReceivedCount,
    SubscriberCount,
)

# Each connection has a slot of its own, so that no transaction waits for another's counts: not for
# one that is long, nor for one whose client has lost the network. Few connections have the same.
SLOTS = 1000  # from 1 on: slot 0 has what was folded
FOLD_SIZE = 1000  # rows
RECEIVED_WITHIN = timedelta(days=30)
_SLOT = "slot"  # In the connection's `info`.
_Counts = Mapping[tuple[Any, ...], int]  # By all columns of the key but the slot; days are in UTC.
_Received = Set[tuple[str, str]]  # Topics, each with its frequency.
_COUNTS = "counts"  # In the session's `info`.
_TABLES: tuple[type[Base], ...] = (EmailedCount, LedgerCount, ReceivedCount, SubscriberCount)


def count(session: Session, rows: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """Count new ledger rows, given with all columns, at the end of the transaction.

    Unsubscribes on the subscriber's own account also count by the emails claimed before `now`,
    which takes one statement.
    """
    _add(session, LedgerCount, Counter(map(_key, rows)))
    left = [row for row in rows if _is_rated(row)]
    if left:
        ids = {row[0] for row in left}
        received = claim_queries.received(session, ids, now - RECEIVED_WITHIN)
        keys = ((_key(row)[0], EmailsReceived.of(received.get(row[0], 0)), True) for row in left)
        _add(session, ReceivedCount, Counter(keys))


def count_emailed(
    session: Session, topic: str, campaign: str, emails: Mapping[tuple[datetime, int], int]
) -> None:
    """Add how many emails were claimed; those released are negative.

    They are given by when they were claimed, and how many the subscriber received within 30 days.
    """
    counts, by_received = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for (at, received), number in emails.items():
        counts[day_of(at), topic, campaign] += number
        by_received[day_of(at), EmailsReceived.of(received), False] += number
    _add(session, EmailedCount, counts)
    _add(session, ReceivedCount, by_received)


def count_subscribers(
    session: Session, changes: Iterable[tuple[_Received, _Received]], now: datetime
) -> None:
    """Count who receives what and how often, given this for each subscriber before and after."""
    day, counts = day_of(now), Counter[tuple[Any, ...]]()
    for before, after in changes:
        counts.update((day, *each) for each in after - before)
        counts.subtract((day, *each) for each in before - after)
        counts[day, "", ""] += bool(after) - bool(before)
    _add(session, SubscriberCount, counts)


def fold(session: Session, now: datetime) -> int:
    """Move some counts of past days into slot 0, and return how many rows there were.

    It returns 0 if none is left. Almost no transaction writes counts of a past day, so they need
    one slot only. A page would read up to SLOTS rows of each. What is moved also adds to the sums
    of its day and its week, of which a page of a year reads far fewer.
    """
    return sum(_fold(session, table, now) for table in _TABLES)


def _fold(session: Session, table: type[Base], now: datetime) -> int:
    columns = table.__table__.columns
    past = (columns.day < day_of(now), UNFOLDED)
    # The newest first: an index finds them at once. A row that is locked is left to the next run.
    some = select(*columns).where(*past).order_by(columns.day.desc()).limit(FOLD_SIZE)
    found = [tuple(row) for row in session.execute(some.with_for_update(skip_locked=True))]
    keys = tuple(column.name for column in table.__table__.primary_key)
    sets.delete(session, table, keys, [row[:-1] for row in found])
    counts = Counter[tuple[Any, ...]]()
    for *key, _slot, number in found:
        counts[tuple(key)] += number
    sets.add_counts(session, table, [(*key, 0, counts[key]) for key in sorted(counts)])
    if table is LedgerCount:
        _add_to_sums(session, counts)
    return len(found)


def _add_to_sums(session: Session, folded: _Counts) -> None:
    days, weeks = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for (day, *about, event, scope, source), number in folded.items():
        days[day, event, scope, source] += number
        weeks[monday_of(day), *about, event, scope, source] += number
    for table, counts in ((LedgerDayCount, days), (LedgerWeekCount, weeks)):
        sets.add_counts(session, table, [(*key, counts[key]) for key in sorted(counts)])


def _key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    _, _, event, scope, topic, source, campaign, _, recorded_at, *_ = row
    return day_of(recorded_at), topic or "", campaign or "", event, scope, source


def _is_rated(row: tuple[Any, ...]) -> bool:
    _, _, event, _, _, source, *_ = row
    return event is Event.UNSUBSCRIBED and source in RATED_SOURCES


def _add(session: Session, table: type[Base], counts: _Counts) -> None:
    if any(counts.values()):
        added: dict[type[Base], Counter[tuple[Any, ...]]] = session.info.setdefault(_COUNTS, {})
        added.setdefault(table, Counter()).update(counts)
        write_last(session, _write)


def _write(session: Session) -> None:
    """Write the counts in a fixed order, so that no two transactions deadlock."""
    counts = session.info.pop(_COUNTS)
    slot = session.connection().info.setdefault(_SLOT, 1 + secrets.randbelow(SLOTS))
    with pipeline(session.connection()):
        for table in _TABLES:
            found = sorted(counts.get(table, {}).items())
            rows = [(*key, slot, number) for key, number in found if number]
            sets.add_counts(session, table, rows)
