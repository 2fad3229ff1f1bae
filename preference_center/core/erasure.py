"""Erase a subscriber, except the id, the suppression, and the times and sources of changes.

GDPR art. 17, with 17(3)(b): the suppression stays, so that a later import does not email a person
who asked to be forgotten.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from preference_center.core import consent, domain_hold, ledger, subscribers
from preference_center.core.change import ALL, ChangeContext
from preference_center.core.vocab import Event, Source
from preference_center.store.tables import (
    Claim,
    FailedMailing,
    LedgerDetail,
    LedgerRow,
    OutboxRow,
    Reason,
    Subscriber,
)


def erase(session: Session, subscriber_ids: Iterable[UUID], source: Source, now: datetime) -> int:
    """End all consent, then erase the subscribers; return how many were not erased before."""
    context, domains = ChangeContext(source, now, now), []
    for subscriber in subscribers.lock_all(session, subscriber_ids, now).values():
        if subscriber.erased_at is None:
            consent.end_consent(session, subscriber, ALL, context)
            domains.append(forget(session, subscriber, context))
    domain_hold.forget_rare(session, domains)
    return len(domains)


def forget(session: Session, subscriber: Subscriber, context: ChangeContext) -> str:
    """Delete all data of a locked subscriber but the id, the suppressions and the ledger's times.

    Return the domain of the address, or "". The caller must pass the domains of all subscribers
    that a transaction erases to `domain_hold.forget_rare` together.
    """
    domain = domain_hold.domain_of(subscriber.email or "")
    erased = ChangeContext(context.source, context.occurred_at, context.recorded_at)
    ledger.append(session, subscriber, Event.ERASED, ALL, erased, {}, {})
    subscribers.mark_erased(subscriber, context.occurred_at)
    session.flush()
    subscriber_id = subscriber.subscriber_id
    for table in (LedgerDetail, OutboxRow, Claim, Reason, FailedMailing):
        session.execute(delete(table).where(table.subscriber_id == subscriber_id))
    rows = update(LedgerRow).where(LedgerRow.subscriber_id == subscriber_id)
    session.execute(rows.values(topic=None, campaign=None, wording=None))
    return domain
