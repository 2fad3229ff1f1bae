"""The ledger: append-only, one chain for each subscriber, sealed with the server's keys.

A row's hash is an HMAC over the hash before it and the row, which holds a salted digest of what
an erasure deletes: topic, campaign, wording, and the details, which have a table of their own. So
a subscriber can be erased and the chain stays intact. The subscriber's row holds `seq` and `head`.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from preference_center.core.change import ChangeContext, Target
from preference_center.core.vocab import Event, KeyKind, Scope
from preference_center.store import queries, seals
from preference_center.store.tables import LedgerDetail, LedgerRow, Subscriber, Wording

MAX_ROWS_LOOKED_BACK = 100  # Older rows are ignored when a change arrives late.


def append(
    session: Session,
    subscriber: Subscriber,
    event: Event,
    target: Target,
    context: ChangeContext,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> int:
    """Write one row at the end of a locked subscriber's chain and return its number."""
    stated = {seals.STATED_SOURCE: context.stated_source} if context.stated_source else {}
    details = LedgerDetail(
        subscriber_id=subscriber.subscriber_id,
        seq=subscriber.seq + 1,
        salt=secrets.token_bytes(16),
        before=seals.canonical_json(before),
        after=seals.canonical_json({**after, **stated}),
    )
    row = LedgerRow(
        subscriber_id=subscriber.subscriber_id,
        seq=details.seq,
        event=event,
        scope=target.scope,
        topic=target.topic,
        source=context.source,
        campaign=context.campaign,
        occurred_at=context.occurred_at,
        recorded_at=context.recorded_at,
        wording=record_wording(session, context.wording),
    )
    row.digest = _digest(row, details)
    row.hash = _seal(row, subscriber.head, session.info["keys"][KeyKind.SERVER][-1])
    session.add_all([row, details])
    subscriber.seq, subscriber.head = row.seq, row.hash
    return row.seq


def record_wording(session: Session, text: str | None) -> bytes | None:
    """Store a wording once, and return its digest."""
    if not text:
        return None
    digest = hashlib.sha256(text.encode()).digest()
    known: set[bytes] = session.info.setdefault("wordings", set())
    if digest not in known:
        queries.insert_missing(session, Wording, [{"digest": digest, "text": text}])
        known.add(digest)
    return digest


@dataclass(frozen=True)
class LedgerEntry:
    """One ledger row with its details; `before` and `after` are None once erased.

    `stated_source` describes the change in the words of the file it was imported from.
    """

    row: LedgerRow
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    stated_source: str = ""


def load(session: Session, subscriber_id: UUID, first: int) -> list[LedgerEntry]:
    """Return a subscriber's ledger from row `first` on, oldest first."""
    statement = (
        select(LedgerRow, LedgerDetail)
        .outerjoin(LedgerDetail, _same_row())
        .where(LedgerRow.subscriber_id == subscriber_id, LedgerRow.seq >= first)
        .order_by(LedgerRow.seq)
    )
    return [_entry(row, details) for row, details in session.execute(statement)]


def _entry(row: LedgerRow, details: LedgerDetail | None) -> LedgerEntry:
    if details is None:
        return LedgerEntry(row, None, None)
    after = json.loads(details.after)
    stated_source = after.pop(seals.STATED_SOURCE, "")
    return LedgerEntry(row, json.loads(details.before), after, stated_source)


def touching(session: Session, subscriber_id: UUID, topic: str | None) -> list[LedgerRow]:
    """Return the newest rows about `topic` or everything (for None: everything), newest first."""
    about = LedgerRow.scope != Scope.TOPIC
    if topic is not None:
        about = about | (LedgerRow.topic == topic)
    statement = (
        select(LedgerRow)
        .where(LedgerRow.subscriber_id == subscriber_id, about)
        .order_by(LedgerRow.seq.desc())
        .limit(MAX_ROWS_LOOKED_BACK)
    )
    return list(session.scalars(statement))


def count_events(
    session: Session, subscriber_id: UUID, events: Collection[Event], since: datetime
) -> int:
    """Return how often a subscriber did any of `events` after `since`.

    Rows recorded at the same time are counted once: they belong to one form.
    """
    statement = select(func.count(LedgerRow.recorded_at.distinct())).where(
        LedgerRow.subscriber_id == subscriber_id,
        LedgerRow.event.in_(events),
        LedgerRow.recorded_at > since,
    )
    return session.scalars(statement).one()


def last_of(session: Session, subscriber_id: UUID, target: Target) -> LedgerRow | None:
    """Return the newest row about exactly this target."""
    statement = (
        select(LedgerRow)
        .where(
            LedgerRow.subscriber_id == subscriber_id,
            LedgerRow.scope == target.scope,
            LedgerRow.topic.is_not_distinct_from(target.topic),
        )
        .order_by(LedgerRow.seq.desc())
        .limit(1)
    )
    return session.scalars(statement).first()


def find_hashes(
    session: Session, subscriber_ids: Iterable[UUID], hashes: Iterable[bytes]
) -> set[tuple[UUID, bytes]]:
    """Return which of these hashes are of rows on record, each with its subscriber."""
    statement = select(LedgerRow.subscriber_id, LedgerRow.hash).where(
        LedgerRow.subscriber_id.in_(list(subscriber_ids)), LedgerRow.hash.in_(list(hashes))
    )
    return {(row.subscriber_id, row.hash) for row in session.execute(statement)}


def verify(session: Session) -> Iterator[str | None]:
    """Yield for each subscriber None, or a sentence that says where the chain is broken."""
    statement = (
        select(Subscriber, LedgerRow, LedgerDetail)
        .outerjoin(LedgerRow, LedgerRow.subscriber_id == Subscriber.subscriber_id)
        .outerjoin(LedgerDetail, _same_row())
        .order_by(Subscriber.subscriber_id, LedgerRow.seq)
        .execution_options(yield_per=1000)
    )
    chain: _Chain | None = None
    for subscriber, row, details in session.execute(statement):
        if chain is None or chain.subscriber.subscriber_id != subscriber.subscriber_id:
            if chain is not None:
                yield chain.verdict()
            chain = _Chain(subscriber, session.info["keys"][KeyKind.SERVER])
        if row is not None:
            chain.follow(row, details)
    if chain is not None:
        yield chain.verdict()


class _Chain:
    """One subscriber's rows, followed from the first to the head."""

    def __init__(self, subscriber: Subscriber, keys: Sequence[str]) -> None:
        self.subscriber = subscriber
        self._keys = keys
        self._at = (0, seals.FIRST_HEAD)
        self._broken: str | None = None

    def follow(self, row: LedgerRow, details: LedgerDetail | None) -> None:
        sealed = [_seal(row, self._at[1], key) for key in self._keys]
        if row.seq != self._at[0] + 1:
            self._break(f"row {self._at[0] + 1} is missing")
        elif row.hash not in sealed:
            self._break(f"row {row.seq} was altered, or its key is not in the settings")
        elif details is None and self.subscriber.erased_at is None:
            self._break(f"the details of row {row.seq} are missing")
        elif details is not None and _digest(row, details) != row.digest:
            self._break(f"the details of row {row.seq} were altered")
        self._at = (row.seq, row.hash)

    def verdict(self) -> str | None:
        if self._at != (self.subscriber.seq, self.subscriber.head):
            self._break(f"it ends at row {self._at[0]}, but {self.subscriber.seq} were written")
        return self._broken

    def _break(self, why: str) -> None:
        self._broken = self._broken or f"{self.subscriber.subscriber_id}: {why}"


def _same_row() -> Any:
    return and_(
        LedgerDetail.subscriber_id == LedgerRow.subscriber_id, LedgerDetail.seq == LedgerRow.seq
    )


def _digest(row: LedgerRow, details: LedgerDetail) -> bytes:
    return seals.digest(
        details.salt, row.topic, row.campaign, row.wording, details.before, details.after
    )


def _seal(row: LedgerRow, head: bytes, key: str) -> bytes:
    return seals.seal(
        key.encode(),
        head,
        row.subscriber_id,
        row.seq,
        row.event,
        row.scope,
        row.source,
        row.occurred_at,
        row.recorded_at,
        row.digest,
    )
