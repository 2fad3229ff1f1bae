"""Change how much comes of a topic that is received: caps and pauses.

Less needs no proof. Where more is asked for, the caller makes sure that the subscriber is told.
"""

from calendar import monthrange
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core.consent import (
    ChangeContext,
    ChangeResult,
    new_subscription,
    record,
    unchanged,
)
from preference_center.core.preferences import FREQUENCIES, receives
from preference_center.core.snapshots import capture, subscription_key
from preference_center.store.tables import Subscriber, Topic

PAUSES = ("2-weeks", "1-month", "3-months")


def paused_until(length: str, now: datetime) -> datetime:
    """Return when a pause of one of `PAUSES` ends: as the day begins that a page names, UTC."""
    today = now.astimezone(UTC).date()
    if length == "2-weeks":
        day = today + timedelta(days=14)
    else:
        months = today.month - 1 + int(length.partition("-")[0])
        year, month = today.year + months // 12, months % 12 + 1
        day = today.replace(year, month, min(today.day, monthrange(year, month)[1]))
    return datetime.combine(day, time(), UTC)


def reduce_or_pause(
    session: Session, subscriber: Subscriber, topic: Topic, choice: str, context: ChangeContext
) -> ChangeResult:
    """Do what one of `FREQUENCIES` or `PAUSES` says; never more than somebody gets now."""
    if choice in PAUSES:
        return pause(session, subscriber, topic, paused_until(choice, context.recorded_at), context)
    subscription = subscriber.subscriptions.get(topic.slug)
    now = subscription.frequency if subscription is not None else "every"
    if FREQUENCIES.index(choice) <= FREQUENCIES.index(now):
        return unchanged(subscriber)
    return set_frequency(session, subscriber, topic, choice, context)


def set_frequency(
    session: Session, subscriber: Subscriber, topic: Topic, frequency: str, context: ChangeContext
) -> ChangeResult:
    """Cap a topic that somebody gets, or lift its cap."""
    subscription = subscriber.subscriptions.get(topic.slug)
    now = subscription.frequency if subscription is not None else "every"
    less = FREQUENCIES.index(frequency) > FREQUENCIES.index(now)
    event = "reduced" if less else "increased"
    return _change(session, subscriber, topic, event, context, frequency=frequency)


def pause(
    session: Session, subscriber: Subscriber, topic: Topic, until: datetime, context: ChangeContext
) -> ChangeResult:
    """Hold a topic back until a time; a pause that is longer already stays."""
    subscription = subscriber.subscriptions.get(topic.slug)
    held = subscription.paused_until if subscription is not None else None
    if held is not None and held >= until:
        return unchanged(subscriber)
    return _change(session, subscriber, topic, "paused", context, paused_until=until)


def resume(
    session: Session, subscriber: Subscriber, topic: Topic, context: ChangeContext
) -> ChangeResult:
    """End a pause now."""
    subscription = subscriber.subscriptions.get(topic.slug)
    held = subscription.paused_until if subscription is not None else None
    if held is None or held <= context.recorded_at:
        return unchanged(subscriber)
    return _change(session, subscriber, topic, "resumed", context, paused_until=None)


def remove_suppression(
    session: Session, subscriber: Subscriber, kind: str, event: str, context: ChangeContext
) -> ChangeResult:
    """Take away a stop above all topics: those beneath it are as they were."""
    before = capture(subscriber, [kind])
    del subscriber.suppressions[kind]
    for subscription in subscriber.subscriptions.values():
        subscription.updated_at = context.recorded_at
    return record(session, subscriber, event, kind, None, context, before)


def _change(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    event: str,
    context: ChangeContext,
    **values: Any,
) -> ChangeResult:
    """Change columns of a subscription that mail comes for; else, or if nothing differs, none."""
    if not receives(subscriber, topic):
        return unchanged(subscriber)
    key = subscription_key(topic.slug)
    known = subscriber.subscriptions.get(topic.slug)
    subscription = known or new_subscription(subscriber, topic.slug, "subscribed", context)
    if all(getattr(subscription, name) == value for name, value in values.items()):
        return unchanged(subscriber)
    before = capture(subscriber, [key])
    subscriber.subscriptions[topic.slug] = subscription
    for name, value in values.items():
        setattr(subscription, name, value)
    subscription.updated_at = context.recorded_at
    return record(session, subscriber, event, "topic", topic, context, before)
