"""The reader for whom the demo's visitor acts: what she has done, and what she gets."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from preference_center.core import ledger, subscribers, topics
from preference_center.core.ledger import LedgerEntry
from preference_center.core.preferences import receives
from preference_center.core.vocab import Event
from preference_center.store.tables import UNSETTLED, OutboxRow

_LESS = {Event.UNSUBSCRIBED, Event.REDUCED, Event.PAUSED}


@dataclass(frozen=True)
class Visitor:
    """What the database says about the reader.

    `rows` are her ledger, oldest first. `received` are the topics that she gets. `is_email_due`
    says whether an email of ours is on its way to her.
    """

    rows: list[LedgerEntry]
    received: frozenset[str]
    is_email_due: bool

    @property
    def own(self) -> list[LedgerEntry]:
        """Return the rows of what she did herself."""
        return [row for row in self.rows if row.source.is_own]

    @property
    def asked_for_less(self) -> list[LedgerEntry]:
        """Return the rows by which she left or asked for less."""
        return [row for row in self.own if row.event in _LESS]

    @property
    def undid(self) -> bool:
        """Return whether she has undone anything."""
        return any(row.event is Event.UNDONE for row in self.own)


def load(session: Session, reader_id: UUID) -> Visitor:
    """Return what the database says about the reader."""
    subscriber = subscribers.find(session, reader_id)
    known = topics.list_topics(session)
    due = exists().where(OutboxRow.subscriber_id == reader_id, UNSETTLED)
    return Visitor(
        rows=ledger.load(session, reader_id, 1),
        received=frozenset(topic.slug for topic in known if receives(subscriber, topic)),
        is_email_due=bool(session.scalar(select(due))),
    )
