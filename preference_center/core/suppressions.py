"""Read suppressions: the unsubscribes from all topics, and from every email to an address."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from preference_center.core.vocab import Scope, Source
from preference_center.store import queries
from preference_center.store.tables import SubscriberRow, SuppressionRow


@dataclass(frozen=True)
class SuppressedSubscriber:
    """A suppression, and the subscriber's address if it is known."""

    subscriber_id: UUID
    email: str | None
    scope: Scope
    since: datetime
    source: Source


Position = tuple[UUID, Scope]


def page(session: Session, after: Position | None, limit: int) -> list[SuppressedSubscriber]:
    """Return at most `limit` suppressions that follow `after`, in the order of subscriber ids."""
    key = (SuppressionRow.subscriber_id, SuppressionRow.kind)
    statement = _all().order_by(*key).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(*key) > after)
    return [SuppressedSubscriber(*row) for row in session.execute(statement)]


def of(session: Session, ids: Collection[UUID]) -> dict[UUID, list[SuppressedSubscriber]]:
    """Return the suppressions of each subscriber who has any."""
    found = defaultdict(list)
    mine = queries.among(session, SuppressionRow.subscriber_id, list(ids))
    for row in session.execute(_all().where(mine).order_by(SuppressionRow.kind)):
        found[row[0]].append(SuppressedSubscriber(*row))
    return found


def _all() -> Select[*tuple[Any, ...]]:
    return select(
        SuppressionRow.subscriber_id,
        SubscriberRow.email,
        SuppressionRow.kind,
        SuppressionRow.since,
        SuppressionRow.source,
    ).join(SubscriberRow, SubscriberRow.subscriber_id == SuppressionRow.subscriber_id)
