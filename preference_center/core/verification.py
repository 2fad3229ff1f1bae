"""Verify the ledger: the seal of each row, its details, and that no row is missing."""

from collections.abc import Generator, Iterable, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Select, select, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NULLTYPE

from preference_center.core.vocab import Event, KeyKind
from preference_center.store import queries, seals
from preference_center.store.streaming import streamed
from preference_center.store.tables import LedgerDetail, LedgerRow, SubscriberRow
from preference_center.store.text_cells import IdText, TimeText

_ID = 9  # The index of the subscriber's id in a row.


def verify(session: Session) -> Generator[str | None, None, None]:
    """Yield for each subscriber None, or a sentence that says where the chain is broken.

    Close the iterator before the session, unless it is exhausted.
    """
    keys = [key.encode() for key in reversed(session.info["keys"][KeyKind.SERVER])]
    with streamed(session, _rows()) as batches:
        for subscriber_id, rows in groupby(chain.from_iterable(batches), itemgetter(_ID)):
            problem = _problem(rows, keys)
            yield None if problem is None else f"{subscriber_id}: {problem}"


def _problem(rows: Iterable[Sequence[Any]], keys: Sequence[bytes]) -> str | None:
    """Follow one subscriber's rows from the first to the head; return where the chain is broken."""
    at, hash_before, without_details = 0, seals.FIRST_HEAD, 0
    for each in rows:
        written, head, found, salt, topic, campaign, wording, before, after, *row = each
        seq, digest = row[1], row[-1]
        if seq is None:  # the subscriber has no row
            break
        if seq != at + 1:
            return f"row {at + 1} is missing"
        if all(seals.seal_texts(key, hash_before, *row) != found for key in keys):
            return f"row {seq} was altered, or its key is not in the settings"
        if row[2] == Event.ERASED:  # It has deleted those of all rows up to its own.
            without_details = 0
        elif salt is None:
            without_details = without_details or seq
        erasable = (topic, campaign, wording, before, after)
        if salt is not None and seals.digest(salt, *erasable) != digest:
            return f"the details of row {seq} were altered"
        at, hash_before = seq, found
    if (at, hash_before) != (written, head):
        return f"it ends at row {at}, but {written} were written"
    return f"the details of row {without_details} are missing" if without_details else None


def _rows() -> Select[*tuple[Any, ...]]:
    """Select every subscriber with every ledger row and its details, as plain values."""
    columns = (
        SubscriberRow.seq,
        SubscriberRow.head,
        LedgerRow.hash,
        LedgerDetail.salt,
        LedgerRow.topic,
        LedgerRow.campaign,
        LedgerRow.wording,
        LedgerDetail.before,
        LedgerDetail.after,
        # What the hash covers, in the order of `seals.seal_texts`.
        IdText(SubscriberRow.subscriber_id),
        LedgerRow.seq,
        LedgerRow.event,
        LedgerRow.scope,
        LedgerRow.source,
        TimeText(LedgerRow.occurred_at),
        TimeText(LedgerRow.recorded_at),
        LedgerRow.digest,
    )
    return (
        select(*(type_coerce(column, NULLTYPE) for column in columns))
        .select_from(SubscriberRow)
        .outerjoin(LedgerRow, LedgerRow.subscriber_id == SubscriberRow.subscriber_id)
        .outerjoin(LedgerDetail, queries.ARE_ITS_DETAILS)
        .order_by(SubscriberRow.subscriber_id, LedgerRow.seq)
    )
