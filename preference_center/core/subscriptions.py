"""Change how much of a topic a subscriber gets: caps and pauses.

Anyone with the link may ask for less. If more is asked for, the caller notifies the subscriber.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core.change import Change, ChangeContext, ChangeResult, Target
from preference_center.core.consent import new_subscription
from preference_center.core.preferences import receives
from preference_center.core.recording import record, unchanged
from preference_center.core.snapshots import capture
from preference_center.core.subscribers import mark_updated
from preference_center.core.vocab import Event, Frequency, Pause, Scope, Status
from preference_center.store.tables import Subscriber, Subscription, Topic


@dataclass(frozen=True)
class Reduce(Change[ChangeResult]):
    """A request for less of one topic, for `apply`."""

    topic: str
    choice: Frequency | Pause
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def make(self, session: Session, subscriber: Subscriber) -> ChangeResult:
        topic = session.get_one(Topic, self.topic)
        return reduce_or_pause(session, subscriber, topic, self.choice, self.context)


def paused_until(pause: Pause, now: datetime) -> datetime:
    """Return when a pause that begins now ends: the start (UTC) of the day that a page names."""
    today = now.astimezone(UTC).date()
    if pause is Pause.TWO_WEEKS:
        day = today + timedelta(days=14)
    else:
        months = today.month - 1 + int(pause.partition("-")[0])
        year, month = today.year + months // 12, months % 12 + 1
        day = today.replace(year, month, min(today.day, monthrange(year, month)[1]))
    return datetime.combine(day, time(), UTC)


def reduce_or_pause(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    choice: Frequency | Pause,
    context: ChangeContext,
) -> ChangeResult:
    """Apply a cap or a pause, unless the subscriber gets no more than that already."""
    if isinstance(choice, Pause):
        until = paused_until(choice, context.recorded_at)
        return pause(session, subscriber, topic, until, context)
    if not choice.is_less_than(_frequency(subscriber, topic)):
        return unchanged(subscriber)
    return set_frequency(session, subscriber, topic, choice, context)


def set_frequency(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    frequency: Frequency,
    context: ChangeContext,
) -> ChangeResult:
    """Cap a topic that the subscriber gets, or change or remove its cap."""
    less = frequency.is_less_than(_frequency(subscriber, topic))
    event = Event.REDUCED if less else Event.INCREASED
    return _change(session, subscriber, topic, event, context, frequency=frequency)


def pause(
    session: Session, subscriber: Subscriber, topic: Topic, until: datetime, context: ChangeContext
) -> ChangeResult:
    """Pause a topic until a time, unless it is paused for longer already."""
    current = _paused_until(subscriber, topic)
    if current is not None and current >= until:
        return unchanged(subscriber)
    return _change(session, subscriber, topic, Event.PAUSED, context, paused_until=until)


def resume(
    session: Session, subscriber: Subscriber, topic: Topic, context: ChangeContext
) -> ChangeResult:
    """End a pause now."""
    current = _paused_until(subscriber, topic)
    if current is None or current <= context.recorded_at:
        return unchanged(subscriber)
    return _change(session, subscriber, topic, Event.RESUMED, context, paused_until=None)


def remove_suppression(
    session: Session, subscriber: Subscriber, kind: Scope, event: Event, context: ChangeContext
) -> ChangeResult:
    """Remove a suppression; the subscriptions below it are as they were before it."""
    target = Target(kind)
    before = capture(subscriber, [target])
    del subscriber.suppressions[kind]
    mark_updated(subscriber, context.recorded_at)
    return record(session, subscriber, event, target, context, before)


def _frequency(subscriber: Subscriber, topic: Topic) -> Frequency:
    subscription = subscriber.subscriptions.get(topic.slug)
    return subscription.frequency if subscription is not None else Frequency.EVERY


def _paused_until(subscriber: Subscriber, topic: Topic) -> datetime | None:
    subscription = subscriber.subscriptions.get(topic.slug)
    return subscription.paused_until if subscription is not None else None


def _change(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    event: Event,
    context: ChangeContext,
    **values: Any,
) -> ChangeResult:
    """Change columns of a subscription that the subscriber receives."""
    if not receives(subscriber, topic):
        return unchanged(subscriber)
    subscription = _subscription(subscriber, topic, context)
    if all(getattr(subscription, name) == value for name, value in values.items()):
        return unchanged(subscriber)
    target = Target.of(topic.slug)
    before = capture(subscriber, [target])
    subscriber.subscriptions[topic.slug] = subscription
    for name, value in values.items():
        setattr(subscription, name, value)
    subscription.updated_at = context.recorded_at
    return record(session, subscriber, event, target, context, before)


def _subscription(subscriber: Subscriber, topic: Topic, context: ChangeContext) -> Subscription:
    """Return the subscription on record, or a new one for an opt-out topic."""
    known = subscriber.subscriptions.get(topic.slug)
    return known or new_subscription(subscriber, topic.slug, Status.SUBSCRIBED, context)
