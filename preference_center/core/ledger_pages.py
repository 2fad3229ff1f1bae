"""Read one subscriber's ledger in pages, with the wordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import ledger
from preference_center.core.ledger import LedgerEntry
from preference_center.store.tables import LedgerRow, Wording


@dataclass(frozen=True)
class WordedEntry:
    """A ledger row, and the text that the subscriber was told or agreed to, if there is one."""

    entry: LedgerEntry
    wording: str | None


def page(session: Session, subscriber_id: UUID, after: int, limit: int) -> Sequence[WordedEntry]:
    """Return at most `limit` rows that follow row `after`, oldest first."""
    entries = ledger.load(session, subscriber_id, after + 1, limit)
    texts = _wordings(session, subscriber_id, [each.seq for each in entries])
    return [WordedEntry(each, texts.get(each.seq)) for each in entries]


def _wordings(session: Session, subscriber_id: UUID, rows: Sequence[int]) -> dict[int, str]:
    if not rows:
        return {}
    statement = (
        select(LedgerRow.seq, Wording.text)
        .join(Wording, Wording.digest == LedgerRow.wording)
        .where(
            LedgerRow.subscriber_id == subscriber_id,
            LedgerRow.seq.between(rows[0], rows[-1]),
        )
    )
    return {row.seq: row.text for row in session.execute(statement)}
