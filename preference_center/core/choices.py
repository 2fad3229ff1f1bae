"""Ask for less, or for more of it again: caps, pauses, and topics joined.

Less needs no proof. More does: the caller has seen to it that a topic which asks for double
opt-in is joined by a mailed link alone (design 3).
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import ledger, topics
from preference_center.core.consent import (
    Act,
    Outcome,
    end_topic,
    new_subscription,
    record,
    unchanged,
)
from preference_center.core.preferences import (
    FREQUENCIES,
    bounced_at,
    is_reachable,
    receives,
)
from preference_center.core.snapshots import subscription_key, take
from preference_center.store.tables import Subscriber, Subscription, Topic

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


def ask_for_less(
    session: Session, subscriber: Subscriber, topic: Topic, choice: str, act: Act
) -> Outcome:
    """Do what one of `FREQUENCIES` or `PAUSES` says; never more than somebody gets now."""
    if choice in PAUSES:
        return pause(session, subscriber, topic, paused_until(choice, act.now), act)
    subscription = subscriber.subscriptions.get(topic.slug)
    now = subscription.frequency if subscription is not None else "every"
    if FREQUENCIES.index(choice) <= FREQUENCIES.index(now):
        return unchanged(subscriber)
    return set_frequency(session, subscriber, topic, choice, act)


def set_frequency(
    session: Session, subscriber: Subscriber, topic: Topic, frequency: str, act: Act
) -> Outcome:
    """Cap a topic that somebody gets, or lift its cap."""
    subscription = subscriber.subscriptions.get(topic.slug)
    now = subscription.frequency if subscription is not None else "every"
    less = FREQUENCIES.index(frequency) > FREQUENCIES.index(now)
    event = "reduced" if less else "increased"
    return _change(session, subscriber, topic, event, act, frequency=frequency)


def pause(
    session: Session, subscriber: Subscriber, topic: Topic, until: datetime, act: Act
) -> Outcome:
    """Hold a topic back until a time; a pause that is longer already stays."""
    subscription = subscriber.subscriptions.get(topic.slug)
    held = subscription.paused_until if subscription is not None else None
    if held is not None and held >= until:
        return unchanged(subscriber)
    return _change(session, subscriber, topic, "paused", act, paused_until=until)


def resume(session: Session, subscriber: Subscriber, topic: Topic, act: Act) -> Outcome:
    """End a pause now."""
    subscription = subscriber.subscriptions.get(topic.slug)
    held = subscription.paused_until if subscription is not None else None
    if held is None or held <= act.now:
        return unchanged(subscriber)
    return _change(session, subscriber, topic, "resumed", act, paused_until=None)


def join(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    act: Act,
    *,
    arrived_on: date = date.min,
) -> Outcome:
    """Start a topic. After a stop of everything the other topics end in its place (design 6).

    `arrived_on` is the day of a mail that has reached the address: that ends what a bounce had
    stopped by then. An address that mail cannot reach, or whose person was erased, joins nothing.
    """
    bounced = bounced_at(subscriber)
    if not is_reachable(subscriber) or (bounced is not None and bounced.date() > arrived_on):
        return unchanged(subscriber)
    if receives(subscriber, topic) or topic.archived_at is not None:
        return unchanged(subscriber)
    first = subscriber.seq + 1
    known = subscriber.subscriptions.get(topic.slug)
    left = known is not None and known.status == "unsubscribed"
    if subscriber.suppressions:
        _lift_stops(session, subscriber, topic, act)
        left = True
    before = take(subscriber, [subscription_key(topic.slug)])
    subscription = known or new_subscription(subscriber, topic.slug, "subscribed", act)
    subscriber.subscriptions[topic.slug] = subscription
    _start(subscription, act, ledger.record_wording(session, act.wording))
    event = "resubscribed" if left else "subscribed"
    outcome = record(session, subscriber, event, "topic", topic, act, before)
    return Outcome(changed=True, first=first, seq=outcome.seq)


def _lift_stops(session: Session, subscriber: Subscriber, joined: Topic, act: Act) -> None:
    """Turn a stop of everything into a stop of everything but one topic."""
    for kind in sorted(subscriber.suppressions, reverse=True):
        lift_stop(session, subscriber, kind, "resubscribed", act)
    for topic in topics.everything(session):
        # Also what they never had, and what is archived: no import or other tool may bring it.
        held = subscriber.subscriptions.get(topic.slug)
        ended = held is not None and held.status == "unsubscribed"
        if topic.slug != joined.slug and not ended:
            before = take(subscriber, [subscription_key(topic.slug)])
            end_topic(subscriber, topic.slug, act)
            record(session, subscriber, "stayed_off", "topic", topic, act, before)


def lift_stop(session: Session, subscriber: Subscriber, kind: str, event: str, act: Act) -> Outcome:
    """Take away a stop above all topics: those beneath it are as they were."""
    before = take(subscriber, [kind])
    del subscriber.suppressions[kind]
    for subscription in subscriber.subscriptions.values():
        subscription.updated_at = act.now
    return record(session, subscriber, event, kind, None, act, before)


def _start(subscription: Subscription, act: Act, wording: bytes | None) -> None:
    subscription.status, subscription.frequency = "subscribed", "every"
    subscription.paused_until, subscription.reaffirmed_at = None, None
    subscription.source, subscription.basis = act.source, "consent"
    subscription.changed_at = subscription.consent_at = act.occurred_at
    subscription.consent_source, subscription.consent_wording = "preference page", wording
    subscription.updated_at = act.now


def _change(
    session: Session, subscriber: Subscriber, topic: Topic, event: str, act: Act, **values: Any
) -> Outcome:
    """Change columns of a subscription that mail comes for; else, or if nothing differs, none."""
    if not receives(subscriber, topic):
        return unchanged(subscriber)
    key = subscription_key(topic.slug)
    known = subscriber.subscriptions.get(topic.slug)
    subscription = known or new_subscription(subscriber, topic.slug, "subscribed", act)
    if all(getattr(subscription, name) == value for name, value in values.items()):
        return unchanged(subscriber)
    before = take(subscriber, [key])
    subscriber.subscriptions[topic.slug] = subscription
    for name, value in values.items():
        setattr(subscription, name, value)
    subscription.updated_at = act.now
    return record(session, subscriber, event, "topic", topic, act, before)
