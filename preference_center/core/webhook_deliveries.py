"""Deliveries of webhooks: made from the feed, then leased. `core.webhook_results` settles them.

A delivery waits for the earlier one of its subscriber at the same webhook, and for nothing else.
Locks are taken in one order: the webhook, then its deliveries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from preference_center.core import feed, webhooks
from preference_center.core.api_vocab import WebhookState
from preference_center.core.feed import FeedEvent
from preference_center.core.webhooks import TEST_SEQ
from preference_center.store import queries
from preference_center.store.encryption import UndecipherableError
from preference_center.store.tables import WebhookDelivery, WebhookRow

LEASE_DURATION = timedelta(seconds=60)  # An attempt takes 15 at most.
BATCH_SIZE = 1000  # events


@dataclass(frozen=True)
class LeasedDelivery:
    """A delivery that one worker may make until `LEASE_DURATION` has passed.

    `event` is None for a test.
    """

    webhook_id: UUID
    about: UUID
    seq: int
    lease: UUID
    attempts: int
    url: str
    secrets: Sequence[str]
    event: FeedEvent | None


def spread(session: Session, webhook_id: UUID, now: datetime) -> int:
    """Make deliveries from the next events of the feed; return how many events that were.

    While another worker does it, this returns 0.
    """
    locked = select(WebhookRow).where(WebhookRow.id == webhook_id, _IS_ACTIVE)
    row = session.scalars(locked.with_for_update(skip_locked=True)).first()
    if row is None:
        return 0
    first = feed.first_position(session, now)
    events = feed.read(session, max(row.position, first), BATCH_SIZE, now)
    names = row.event_names.split()
    made = [_delivery(row, each, now) for each in events if not names or each.name in names]
    queries.insert_missing(session, WebhookDelivery, made)
    if events:
        row.position = events[-1].position
    return len(events)


def _delivery(row: WebhookRow, event: FeedEvent, now: datetime) -> dict[str, Any]:
    return {
        "webhook_id": row.id,
        "about": event.subscriber_id,
        "seq": event.seq,
        "position": event.position,
        "due_at": now,
        "attempts": 0,
    }


def active(session: Session) -> Sequence[UUID]:
    """Return the ids of the webhooks that events are delivered to."""
    return session.scalars(select(WebhookRow.id).where(_IS_ACTIVE).order_by(WebhookRow.id)).all()


def behind(session: Session) -> Sequence[UUID]:
    """Return the ids of those for which there are events that are no deliveries yet."""
    is_behind = WebhookRow.position < feed.last_position(session)
    return session.scalars(select(WebhookRow.id).where(_IS_ACTIVE, is_behind)).all()


def has_due(session: Session, webhook_id: UUID, now: datetime) -> bool:
    """Return True if a webhook has a delivery that can be made now."""
    return session.execute(_due(webhook_id, now).limit(1)).first() is not None


def lease(session: Session, webhook_id: UUID, now: datetime) -> LeasedDelivery | None:
    """Lease the delivery to a webhook that has been due longest, or return None."""
    while True:
        statement = _due(webhook_id, now).limit(1)
        locked = statement.with_for_update(skip_locked=True, of=WebhookDelivery)
        found = session.execute(locked).first()
        if found is None:
            return None
        row, webhook = found
        event = feed.find(session, row.about, row.seq) if row.seq != TEST_SEQ else None
        if event is None and row.seq != TEST_SEQ:  # It is no longer kept.
            session.delete(row)
            session.flush()
            continue
        token = uuid4()
        row.lease, row.due_at, row.attempts = token, now + LEASE_DURATION, row.attempts + 1
        return LeasedDelivery(
            webhook_id,
            row.about,
            row.seq,
            token,
            row.attempts,
            webhook.url,
            _secrets(session, webhook, now),
            event,
        )


def _secrets(session: Session, webhook: WebhookRow, now: datetime) -> Sequence[str]:
    """Return the secrets that sign, or none if they cannot be decrypted."""
    try:
        return webhooks.secrets_of(session, webhook, now)
    except UndecipherableError:
        return []


_IS_ACTIVE = WebhookRow.state == WebhookState.ACTIVE


def _due(webhook_id: UUID, now: datetime) -> Any:
    # PostgreSQL would make a join of NOT EXISTS, and read all deliveries to find the first.
    of_subscriber = aliased(WebhookDelivery)
    first = select(func.min(of_subscriber.seq)).where(
        of_subscriber.webhook_id == WebhookDelivery.webhook_id,
        of_subscriber.about == WebhookDelivery.about,
        of_subscriber.failed_at.is_(None),
    )
    return (
        select(WebhookDelivery, WebhookRow)
        .join(WebhookRow, WebhookRow.id == WebhookDelivery.webhook_id)
        .where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.due_at <= now,
            WebhookDelivery.failed_at.is_(None),
            _IS_ACTIVE,
            or_(WebhookRow.held_until.is_(None), WebhookRow.held_until <= now),
            WebhookDelivery.seq == first.scalar_subquery(),
        )
        .order_by(WebhookDelivery.due_at)
    )
