"""Make many changes in one transaction, with locks in a fixed order.

Modules that lock only subscribers use `subscribers.lock_all`, in the same order.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import subscribers, topics
from preference_center.core.change import Change
from preference_center.store.tables import Subscriber

_Result = TypeVar("_Result")


def apply(session: Session, changes: Sequence[Change[_Result]], now: datetime) -> list[_Result]:
    """Make the changes in their order, and return the result of each.

    Creates the topics and subscribers that are not on record yet, so that any valid link can be
    used to unsubscribe. Raise what a change raises; the caller rolls all of them back.
    """
    slugs = {slug for change in changes for slug in change.topics}
    locked = lock(session, slugs, {change.subscriber_id for change in changes}, now)
    return [change.make(session, locked[change.subscriber_id]) for change in changes]


def apply_one(session: Session, change: Change[_Result], now: datetime) -> _Result:
    """Make one change, as `apply` does."""
    return apply(session, [change], now)[0]


def lock(
    session: Session, slugs: Collection[str], ids: Iterable[UUID], now: datetime
) -> dict[UUID, Subscriber]:
    """Create topics, then lock subscribers, and return these by id.

    Both are taken in a fixed order: two transactions that take them in different orders could
    wait for each other.
    """
    for slug in sorted(slugs):
        topics.get_or_create(session, slug, now)
    return subscribers.lock_all(session, ids, now)
