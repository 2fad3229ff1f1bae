"""Link the subscribers of two addresses of one person, whose address was corrected.

Only the link is recorded. Nothing of one address is copied to the other: consent was given for one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import subscribers
from preference_center.core.errors import LinkRefusal
from preference_center.core.state import Subscriber
from preference_center.store import queries, sets
from preference_center.store.tables import LinkedSubscriber

MAX_NOTE_LENGTH = 500  # characters


@dataclass(frozen=True)
class Correction:
    """An address that was corrected: the subscriber ids of both, why, and who recorded it."""

    older: UUID
    newer: UUID
    note: str
    by: str


def record(session: Session, correction: Correction, email: str, now: datetime) -> None:
    """Link two subscribers. `email` is recorded for the newer one, unless one is on record.

    Raises:
        LinkRefusal: they are the same, the older one is not on record, or one is erased.
    """
    ids = (correction.older, correction.newer)
    if correction.older == correction.newer:
        raise LinkRefusal("both addresses are the same subscriber")
    if subscribers.find(session, correction.older) is None:
        raise LinkRefusal("no subscriber is on record under the older address")
    subscribers.upsert_addresses(session, {correction.newer: email}, now)
    queries.lock_ids(session, sorted(ids))
    if any(_is_erased(subscribers.find(session, each)) for each in ids):
        raise LinkRefusal("the data of one of the two was erased")
    about = (now, correction.by, correction.note)
    rows = [
        (correction.older, correction.newer, True, *about),
        (correction.newer, correction.older, False, *about),
    ]
    sets.upsert(session, LinkedSubscriber, sorted(rows))


def forget(session: Session, ids: Collection[UUID]) -> None:
    """Delete the links of subscribers, on both sides."""
    rows = sets.select(session, LinkedSubscriber, ids)
    pairs = {pair for one, other, *_ in rows for pair in ((one, other), (other, one))}
    sets.delete(session, LinkedSubscriber, ("subscriber_id", "other_id"), sorted(pairs))


def _is_erased(subscriber: Subscriber | None) -> bool:
    return subscriber is not None and subscriber.erased_at is not None
