"""Change how much of a topic a subscriber gets: caps and pauses.

Anyone with the link may ask for less. If more is asked for, the caller notifies the subscriber.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.consent import new_subscription
from preference_center.core.draft import Change, Draft
from preference_center.core.preferences import receives
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Event, Frequency, Pause, Scope, Status


@dataclass(frozen=True)
class Reduce(Change[ChangeResult]):
    """A request for less of one topic, for `apply`."""

    topic: str
    choice: Frequency | Pause
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def make(self, draft: Draft) -> ChangeResult:
        return reduce_or_pause(draft, self.topic, self.choice, self.context)


def paused_until(pause: Pause, now: datetime, zone: tzinfo) -> datetime:
    """Return when a pause that begins now ends: the start of a day in the zone of the pages."""
    today = now.astimezone(zone).date()
    if pause is Pause.TWO_WEEKS:
        day = today + timedelta(days=14)
    else:
        months = today.month - 1 + int(pause.partition("-")[0])
        year, month = today.year + months // 12, months % 12 + 1
        day = today.replace(year, month, min(today.day, monthrange(year, month)[1]))
    # In UTC: an ambiguous time of a zone equals no time of another.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def longer_pauses(current: datetime | None, now: datetime, zone: tzinfo) -> dict[Pause, datetime]:
    """Return the pauses that would end later than the current one, if any, with their ends."""
    ends = {pause: paused_until(pause, now, zone) for pause in Pause}
    return {pause: end for pause, end in ends.items() if current is None or end > current}


def reduce_or_pause(
    draft: Draft, topic: str, choice: Frequency | Pause, context: ChangeContext
) -> ChangeResult:
    """Apply a cap or a pause, unless the subscriber gets no more than that already."""
    if isinstance(choice, Pause):
        until = paused_until(choice, context.recorded_at, context.time_zone)
        return pause(draft, topic, until, context)
    if not choice.is_less_than(frequency_of(draft.subscriber, topic)):
        return draft.unchanged()
    return set_frequency(draft, topic, choice, context)


def set_frequency(
    draft: Draft, topic: str, frequency: Frequency, context: ChangeContext
) -> ChangeResult:
    """Cap a topic that the subscriber gets, or change or remove its cap."""
    less = frequency.is_less_than(frequency_of(draft.subscriber, topic))
    event = Event.REDUCED if less else Event.INCREASED
    return _change(draft, topic, event, context, frequency=frequency)


def pause(draft: Draft, topic: str, until: datetime, context: ChangeContext) -> ChangeResult:
    """Pause a topic until a time, unless it is paused for longer already."""
    current = paused_until_of(draft.subscriber, topic)
    if current is not None and current >= until:
        return draft.unchanged()
    return _change(draft, topic, Event.PAUSED, context, paused_until=until)


def resume(draft: Draft, topic: str, context: ChangeContext) -> ChangeResult:
    """End a pause now."""
    current = paused_until_of(draft.subscriber, topic)
    if current is None or current <= context.recorded_at:
        return draft.unchanged()
    return _change(draft, topic, Event.RESUMED, context, paused_until=None)


def remove_suppression(
    draft: Draft, kind: Scope, event: Event, context: ChangeContext
) -> ChangeResult:
    """Remove a suppression; the subscriptions below it are as they were before it."""
    target = Target(kind)
    before = draft.capture(target)
    del draft.subscriber.suppressions[kind]
    draft.subscriber.mark_updated(context.recorded_at)
    return draft.record(event, target, context, before)


def frequency_of(subscriber: Subscriber, topic: str) -> Frequency:
    """Return the cap of a topic, or `every` if there is none."""
    subscription = subscriber.subscriptions.get(topic)
    return subscription.frequency if subscription is not None else Frequency.EVERY


def paused_until_of(subscriber: Subscriber, topic: str) -> datetime | None:
    """Return when a pause of a topic ends or has ended, or None if there is none."""
    subscription = subscriber.subscriptions.get(topic)
    return subscription.paused_until if subscription is not None else None


def _change(
    draft: Draft, topic: str, event: Event, context: ChangeContext, **values: Any
) -> ChangeResult:
    """Change fields of a subscription to a topic that the subscriber receives.

    An opt-out topic without a subscription gets one.
    """
    subscriber = draft.subscriber
    if not receives(subscriber, draft.topics[topic]):
        return draft.unchanged()
    known = subscriber.subscriptions.get(topic)
    subscription = known or new_subscription(topic, Status.SUBSCRIBED, context)
    if all(getattr(subscription, name) == value for name, value in values.items()):
        return draft.unchanged()
    target = Target.of(topic)
    before = draft.capture(target)
    subscriber.subscriptions[topic] = subscription
    for name, value in values.items():
        setattr(subscription, name, value)
    subscription.updated_at = context.recorded_at
    return draft.record(event, target, context, before)
