"""Verify the chains of the ledger."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from preference_center.core.vocab import KeyKind
from preference_center.store import seals
from preference_center.store.tables import LedgerDetail, LedgerRow, Subscriber


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
