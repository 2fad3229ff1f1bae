"""Erase a person: what stays is the fingerprint, the stop, and ledger rows without details.

GDPR art. 17, with 17(3)(b): whoever asked to be forgotten must not be mailed again by mistake.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from preference_center.core import consent, ledger, subscribers
from preference_center.store.tables import LedgerDetail, OutboxRow, Subscriber


def erase(session: Session, subscriber_id: UUID, source: consent.Source, now: datetime) -> bool:
    """End all consent, then forget the person; False where that was done before."""
    subscriber = subscribers.lock(session, subscriber_id, now)
    if subscriber.erased_at is not None:
        return False
    consent.end_consent(session, subscriber, "all", consent.Act(source, now, now))
    entry = ledger.Entry("erased", "all", None, source, now, now)
    ledger.append(session, subscriber, entry, {}, {})
    forget(session, subscriber, now)
    return True


def forget(session: Session, subscriber: Subscriber, at: datetime) -> None:
    """Leave nothing of a locked person but fingerprint and stops: what an erasure elsewhere asks.

    An import brings it along with the stops.
    """
    subscribers.mark_erased(subscriber, at)
    session.flush()
    if subscriber.seq > 0:
        for table in (LedgerDetail, OutboxRow):
            session.execute(delete(table).where(table.subscriber_id == subscriber.subscriber_id))
