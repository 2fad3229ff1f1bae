"""Webhooks that staff are told about: nothing is posted, or an unsubscribe is not accepted."""

from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from preference_center.core import feed, webhooks
from preference_center.core.api_vocab import WebhookState
from preference_center.core.consumers import MAX_AGE, WARN_EVERY
from preference_center.core.webhooks import IS_OPEN, TEST_SEQ, Webhook, acknowledged
from preference_center.store.tables import WebhookDelivery, WebhookRow


def unaccepted(session: Session) -> dict[str, datetime | None]:
    """Return when the oldest unsubscribe that a webhook has not accepted was recorded, by name."""
    first = (
        select(func.min(WebhookDelivery.position))
        .where(WebhookDelivery.webhook_id == WebhookRow.id, IS_OPEN)
        .where(WebhookDelivery.seq != TEST_SEQ)
        .scalar_subquery()
    )
    rows = session.execute(select(WebhookRow.id, WebhookRow.position, first)).all()
    return {
        f"webhook-{webhook_id.hex[:8]}": feed.oldest_stop(session, acknowledged(position, at))
        for webhook_id, position, at in rows
    }


def take(session: Session, now: datetime) -> list[Webhook]:
    """Return the webhooks to warn about, and note the warning: one a day for each."""
    wanted = [each for each in webhooks.list_all(session) if _is_worrying(session, each, now)]
    before = or_(WebhookRow.warned_at.is_(None), WebhookRow.warned_at <= now - WARN_EVERY)
    due = update(WebhookRow).where(WebhookRow.id.in_([each.id for each in wanted]), before)
    warned = session.scalars(due.values(warned_at=now).returning(WebhookRow.id)).all()
    return [each for each in wanted if each.id in warned]


def _is_worrying(session: Session, webhook: Webhook, now: datetime) -> bool:
    if webhook.state is not WebhookState.ACTIVE:
        return True
    oldest = feed.oldest_stop(session, webhook.acknowledged)
    return oldest is not None and oldest <= now - MAX_AGE
