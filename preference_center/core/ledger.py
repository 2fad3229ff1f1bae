"""The ledger: append-only, one chain for each subscriber, sealed with the server's keys.

A row's hash is an HMAC over the hash before it and the row, which holds a salted digest of what
an erasure deletes: topic, campaign, wording, and the details, which have a table of their own. So
a subscriber can be erased and the chain stays intact. The subscriber's row holds `seq` and `head`.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from preference_center.core.change import Target
from preference_center.core.vocab import Event, Scope, Source
from preference_center.store import queries, seals, sets
from preference_center.store.tables import LedgerDetail, LedgerRow, Wording

MAX_ROWS_LOOKED_BACK = 100  # Older rows are ignored when a change arrives late.
_MAX_RANGES = 100  # of one statement


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One ledger row with its details; `before` and `after` are None once erased.

    `stated_source` describes the change in the words of the file it was imported from.
    """

    seq: int
    event: Event
    scope: Scope
    topic: str | None
    source: Source
    campaign: str | None
    occurred_at: datetime
    recorded_at: datetime
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    stated_source: str = ""

    def is_about(self, target: Target) -> bool:
        """Return True if the row is about exactly this target."""
        return (self.scope, self.topic) == (target.scope, target.topic)

    def touches(self, topic: str | None) -> bool:
        """Return True if the row is about `topic` or about everything (for None: only this)."""
        return self.scope is not Scope.TOPIC or (topic is not None and self.topic == topic)


def digest_of_wording(text: str | None) -> bytes | None:
    """Return the key under which a wording is stored, or None if there is none."""
    return hashlib.sha256(text.encode()).digest() if text else None


def record_wordings(session: Session, texts: Iterable[str]) -> None:
    """Store each wording once, in a fixed order, so that two transactions cannot deadlock."""
    rows = [(digest_of_wording(text), text) for text in sorted(set(texts))]
    sets.insert(session, Wording, rows, "ON CONFLICT DO NOTHING")


def first_row_looked_back(seq: int) -> int:
    """Return the first of the rows up to `seq` that a late change is compared with."""
    return max(1, seq - MAX_ROWS_LOOKED_BACK + 1)


def load(
    session: Session, subscriber_id: UUID, first: int, limit: int | None = None
) -> list[LedgerEntry]:
    """Return a subscriber's ledger from row `first` on, oldest first, at most `limit` rows."""
    rows = _rows(session, [(first, [subscriber_id])]).limit(limit)
    return [_entry(row) for _, *row in session.execute(rows)]


def load_newest(
    session: Session,
    subscriber_id: UUID,
    limit: int,
    before: int | None = None,
    events: Collection[Event] = tuple(Event),
) -> list[LedgerEntry]:
    """Return at most `limit` rows of some events, newest first, from before row `before`."""
    rows = _rows(session, [(1, [subscriber_id])]).order_by(None).order_by(LedgerRow.seq.desc())
    if before is not None:
        rows = rows.where(LedgerRow.seq < before)
    if set(events) != set(Event):
        rows = rows.where(LedgerRow.event.in_(events))
    return [_entry(row) for _, *row in session.execute(rows.limit(limit))]


def load_all(session: Session, firsts: Mapping[UUID, int]) -> dict[UUID, list[LedgerEntry]]:
    """Return the ledger of each subscriber from the given row on, oldest first."""
    if not firsts:
        return {}
    by_first: dict[int, list[UUID]] = defaultdict(list)
    for subscriber_id, first in firsts.items():
        by_first[first].append(subscriber_id)
    found: dict[UUID, list[LedgerEntry]] = defaultdict(list)
    ranges = iter(by_first.items())
    while some := list(islice(ranges, _MAX_RANGES)):
        for subscriber_id, *row in session.execute(_rows(session, some)):
            found[subscriber_id].append(_entry(row))
    return found


def _entry(row: Sequence[Any]) -> LedgerEntry:
    *plain, before, after = row
    values: Any = (*plain, *_details(before, after))
    return LedgerEntry(*values)


def _rows(session: Session, ranges: Iterable[tuple[int, list[UUID]]]) -> Select[*tuple[Any, ...]]:
    """Select the rows from `first` on of the ids beside it, with their details."""
    wanted = (
        and_(queries.among(session, LedgerRow.subscriber_id, ids), LedgerRow.seq >= first)
        for first, ids in ranges
    )
    return (
        select(
            LedgerRow.subscriber_id,
            LedgerRow.seq,
            LedgerRow.event,
            LedgerRow.scope,
            LedgerRow.topic,
            LedgerRow.source,
            LedgerRow.campaign,
            LedgerRow.occurred_at,
            LedgerRow.recorded_at,
            LedgerDetail.before,
            LedgerDetail.after,
        )
        .outerjoin(LedgerDetail, queries.ARE_ITS_DETAILS)
        .where(or_(*wanted))
        .order_by(LedgerRow.subscriber_id, LedgerRow.seq)
    )


def _details(before: str | None, after: str | None) -> tuple[Any, Any, str]:
    if before is None or after is None:
        return None, None, ""
    values = json.loads(after)
    stated_source = values.pop(seals.STATED_SOURCE, "")
    return json.loads(before), values, stated_source


def newest_first(entries: Sequence[LedgerEntry], topic: str | None) -> Iterator[LedgerEntry]:
    """Yield the newest rows about `topic` or everything (for None: everything)."""
    recent = entries[-MAX_ROWS_LOOKED_BACK:]
    return (entry for entry in reversed(recent) if entry.touches(topic))


def last_of(entries: Sequence[LedgerEntry], target: Target) -> LedgerEntry | None:
    """Return the newest row about exactly this target."""
    return next((entry for entry in reversed(entries) if entry.is_about(target)), None)


def count_events(entries: Iterable[LedgerEntry], events: Collection[Event], since: datetime) -> int:
    """Return how often a subscriber did any of `events` after `since`.

    Rows recorded at the same time are counted once: they belong to one form.
    """
    return len(
        {
            entry.recorded_at
            for entry in entries
            if entry.event in events and entry.recorded_at > since
        }
    )


def find_hashes(
    session: Session, subscriber_ids: Iterable[UUID], hashes: Iterable[bytes]
) -> set[tuple[UUID, bytes]]:
    """Return which of these hashes are of rows on record, each with its subscriber."""
    statement = select(LedgerRow.subscriber_id, LedgerRow.hash).where(
        LedgerRow.subscriber_id.in_(list(subscriber_ids)), LedgerRow.hash.in_(list(hashes))
    )
    return {(row.subscriber_id, row.hash) for row in session.execute(statement)}
