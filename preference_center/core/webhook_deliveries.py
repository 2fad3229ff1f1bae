"""Deliveries of webhooks: made from the feed, leased by a worker, then settled.

A delivery waits for the earlier one of its subscriber at the same webhook, and for nothing else.
Locks are taken in one order: the webhook, then its deliveries.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from preference_center.core import feed, webhooks
from preference_center.core.api_vocab import WebhookState
from preference_center.core.feed import FeedEvent
from preference_center.core.webhooks import TEST_SEQ
from preference_center.store import queries
from preference_center.store.encryption import UndecipherableError
from preference_center.store.tables import WebhookDelivery, WebhookRow

# Ten attempts, as the specification of Standard Webhooks recommends.
RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MAX_JITTER = 0.1  # of a wait
MAX_FAILING = timedelta(days=3)
MAX_HOLD = timedelta(hours=1)  # Of what a receiver asks for with Retry-After.
HOLD = timedelta(seconds=5)
LEASE_DURATION = timedelta(seconds=60)  # An attempt takes 15 at most.
BATCH_SIZE = 1000  # events
_GONE = 410
_BUSY = {429, 502, 503, 504}
_NOTED_EVERY = timedelta(minutes=1)


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


@dataclass(frozen=True)
class Result:
    """What came of an attempt: the status of the answer, or None, and a text for staff.

    `wait` is how long the receiver asks to wait.
    """

    status: int | None
    text: str
    wait: timedelta | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def hold(self) -> timedelta | None:
        """Return how long the webhook gets no request at all: it does not answer, or is busy."""
        if self.status is None or self.status in _BUSY or self.wait is not None:
            return min(self.wait or HOLD, MAX_HOLD)
        return None


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


def settle(
    session: Session, leased: LeasedDelivery, result: Result, now: datetime
) -> WebhookState | None:
    """Settle a delivery, unless another worker has leased it since.

    Return the webhook's new state, if this attempt has paused or disabled it.
    """
    if result.is_success:
        _note_success(session, leased, result, now)
        session.execute(delete(WebhookDelivery).where(*_is(leased)))
        return None
    webhook = session.get(WebhookRow, leased.webhook_id, with_for_update=True)
    if webhook is None:
        return None
    webhook.last_attempt_at, webhook.last_result = now, result.text
    if leased.seq == TEST_SEQ:
        session.execute(delete(WebhookDelivery).where(*_is(leased)))
        return None
    before = webhook.state
    _note_failure(webhook, result, now)
    values = _postponed(leased, result, now, webhook.state)
    session.execute(update(WebhookDelivery).where(*_is(leased)).values(lease=None, **values))
    return webhook.state if webhook.state is not before else None


def _postponed(
    leased: LeasedDelivery, result: Result, now: datetime, state: WebhookState
) -> dict[str, Any]:
    """Return when a delivery is tried again, or that it has failed for good."""
    if leased.attempts <= len(RETRY_AFTER):
        wait = RETRY_AFTER[leased.attempts - 1] * (1 + random.random() * MAX_JITTER)  # noqa: S311
        return {"due_at": now + max(wait, min(result.wait or wait, MAX_HOLD))}
    # A webhook that was paused gets its deliveries when it is activated.
    return {"failed_at": now} if state is WebhookState.ACTIVE else {"due_at": now}


def _note_success(session: Session, leased: LeasedDelivery, result: Result, now: datetime) -> None:
    """Note that a webhook answers. Most of its deliveries find that noted, and lock nothing."""
    is_news = or_(
        WebhookRow.failing_since.is_not(None),
        WebhookRow.last_result.is_distinct_from(result.text),
        WebhookRow.last_attempt_at <= now - _NOTED_EVERY,
    )
    noted = update(WebhookRow).where(WebhookRow.id == leased.webhook_id, is_news)
    values = {"last_attempt_at": now, "last_result": result.text}
    session.execute(noted.values(failing_since=None, held_until=None, **values))


def _note_failure(webhook: WebhookRow, result: Result, now: datetime) -> None:
    webhook.failing_since = webhook.failing_since or now
    if result.hold is not None:
        webhook.held_until = now + result.hold
    if result.status == _GONE:
        webhook.state = WebhookState.DISABLED
    elif webhook.state is WebhookState.ACTIVE and now - webhook.failing_since >= MAX_FAILING:
        webhook.state = WebhookState.PAUSED


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


def _is(leased: LeasedDelivery) -> tuple[ColumnElement[bool], ...]:
    return (
        WebhookDelivery.webhook_id == leased.webhook_id,
        WebhookDelivery.about == leased.about,
        WebhookDelivery.seq == leased.seq,
        WebhookDelivery.lease == leased.lease,
    )
