"""Read one subscriber's ledger in pages, with the wordings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import ledger
from preference_center.core.change import Target
from preference_center.core.ledger import LedgerEntry
from preference_center.core.snapshots import Snapshot, from_plain
from preference_center.core.vocab import Event
from preference_center.store.tables import LedgerRow, Wording


@dataclass(frozen=True)
class WordedEntry:
    """A ledger row, and the text that the subscriber was told or agreed to, if there is one."""

    entry: LedgerEntry
    wording: str | None

    @property
    def before(self) -> Mapping[str, Any]:
        """Return the fields of the row's own target before the change; none if it was not there."""
        return self._fields(self.entry.before)

    @property
    def after(self) -> Mapping[str, Any]:
        """Return the fields of the row's own target after the change."""
        return self._fields(self.entry.after)

    def _fields(self, snapshot: Snapshot | None) -> Mapping[str, Any]:
        if not snapshot:
            return {}  # Also after an erasure, which takes the topic as well.
        value = snapshot.get(Target(self.entry.scope, self.entry.topic).key)
        return from_plain(value) if value is not None else {}


def page(session: Session, subscriber_id: UUID, after: int, limit: int) -> Sequence[WordedEntry]:
    """Return at most `limit` rows that follow row `after`, oldest first."""
    return _worded(session, subscriber_id, ledger.load(session, subscriber_id, after + 1, limit))


def newest(
    session: Session,
    subscriber_id: UUID,
    limit: int,
    before: int | None = None,
    events: Collection[Event] = tuple(Event),
) -> list[WordedEntry]:
    """Return at most `limit` rows of some events, newest first, from before row `before`."""
    return _worded(
        session,
        subscriber_id,
        ledger.load_newest(session, subscriber_id, limit, before, events),
    )


def _worded(
    session: Session, subscriber_id: UUID, entries: Sequence[LedgerEntry]
) -> list[WordedEntry]:
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
            LedgerRow.seq.between(min(rows), max(rows)),
        )
    )
    return {row.seq: row.text for row in session.execute(statement)}
