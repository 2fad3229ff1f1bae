"""The results of attempts to deliver events to webhooks: what is tried again, held or paused.

Locks are taken in one order: the webhook, then its deliveries.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, update
from sqlalchemy.orm import Session

from preference_center.core.api_vocab import WebhookState
from preference_center.core.webhook_deliveries import LeasedDelivery
from preference_center.core.webhooks import TEST_SEQ
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
_GONE = 410
_BUSY = {429, 502, 503, 504}
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Result:
    """The result of an attempt: the status of the answer, or None, and a text for staff.

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


def settle(
    session: Session,
    leased: LeasedDelivery,
    result: Result,
    now: datetime,
    retry_after: Sequence[timedelta] = RETRY_AFTER,
) -> WebhookState | None:
    """Settle a delivery, unless another worker has leased it since.

    `retry_after` are the waits between its attempts. Return the webhook's new state, if this
    attempt has paused or disabled it.
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
    if leased.attempts <= len(retry_after):
        values = _postponed(retry_after[leased.attempts - 1], result, now)
    else:
        values = _failed(webhook.state, now)
    session.execute(update(WebhookDelivery).where(*_is(leased)).values(lease=None, **values))
    return webhook.state if webhook.state is not before else None


def _postponed(wait: timedelta, result: Result, now: datetime) -> dict[str, Any]:
    """Return when a delivery is tried again."""
    wait *= 1 + random.random() * MAX_JITTER  # noqa: S311
    return {"due_at": now + max(wait, min(result.wait or wait, MAX_HOLD))}


def _failed(state: WebhookState, now: datetime) -> dict[str, Any]:
    """Return when a delivery has failed for good, or when it is due if its webhook was paused.

    A paused webhook gets its deliveries when it is activated.
    """
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


def _is(leased: LeasedDelivery) -> tuple[ColumnElement[bool], ...]:
    return (
        WebhookDelivery.webhook_id == leased.webhook_id,
        WebhookDelivery.about == leased.about,
        WebhookDelivery.seq == leased.seq,
        WebhookDelivery.lease == leased.lease,
    )
