"""Start a topic: only by pressing the button behind a confirm link that was emailed.

Here alone consent is recorded as the subscriber's own (`basis` is `consent`). The link must be
newer than every stop that starting the topic would lift, and newer than every complaint.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox, subscribers, topics
from preference_center.core.consent import (
    ChangeContext,
    ChangeResult,
    end_topic,
    new_subscription,
    record,
    unchanged,
)
from preference_center.core.preferences import (
    bounced_at,
    can_be_emailed,
    complained_at,
    is_reachable,
    receives,
    stopped_at,
)
from preference_center.core.snapshots import capture, subscription_key
from preference_center.core.subscriptions import remove_suppression
from preference_center.core.vocab import ConfirmState, NotSaved
from preference_center.store.tables import Subscriber, Subscription, Topic

CONSENT_SOURCE = "confirm link"


def ask(
    session: Session, subscriber: Subscriber, topic: str, now: datetime, *, smtp: bool
) -> NotSaved | None:
    """Queue the email that holds a confirm link for a topic, or return why none is sent.

    `smtp` says whether this installation sends email. At most one such email for each topic is
    pending, and few a day are sent: what is over that limit is dropped without a word, since the
    links already sent work.
    """
    if complained_at(subscriber) is not None:
        return NotSaved.COMPLAINED
    if not (smtp and can_be_emailed(subscriber)):
        return NotSaved.NO_EMAIL
    outbox.request(session, subscriber.subscriber_id, "confirm", now, topic)
    return None


def ask_again(
    session: Session, subscriber_id: UUID, topic: str, now: datetime, *, smtp: bool
) -> NotSaved | None:
    """Queue a newer confirm link for the holder of an older one, as `ask` does."""
    subscriber = subscribers.lock(session, subscriber_id, now)
    return ask(session, subscriber, topic, now, smtp=smtp)


def confirm_state(
    subscriber: Subscriber | None, topic: Topic | None, asked_at: datetime
) -> ConfirmState:
    """Return what a confirm link for `topic` that was asked for at `asked_at` can do now."""
    if topic is None or topic.archived_at is not None:
        return ConfirmState.EXPIRED
    if receives(subscriber, topic):
        return ConfirmState.RECEIVED
    if subscriber is None:
        return ConfirmState.READY
    if not is_reachable(subscriber):
        return ConfirmState.UNREACHABLE
    if _is_newer(complained_at(subscriber), asked_at):
        return ConfirmState.COMPLAINED
    if _is_newer(bounced_at(subscriber), asked_at):
        return ConfirmState.EXPIRED
    if _is_newer(stopped_at(subscriber, topic.slug), asked_at):
        return ConfirmState.UNSUBSCRIBED
    return ConfirmState.READY


def join(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    context: ChangeContext,
    *,
    asked_at: datetime,
) -> ChangeResult:
    """Start a topic, if `confirm_state` is READY; else change nothing.

    `asked_at` is when the confirm link was asked for. After a stop of everything, all other topics
    end in its place: silence means no from then on.
    """
    if confirm_state(subscriber, topic, asked_at) is not ConfirmState.READY:
        return unchanged(subscriber)
    first = subscriber.seq + 1
    known = subscriber.subscriptions.get(topic.slug)
    left = known is not None and known.status == "unsubscribed"
    if subscriber.suppressions:
        _lift_stops(session, subscriber, topic, context)
        left = True
    before = capture(subscriber, [subscription_key(topic.slug)])
    subscription = known or new_subscription(subscriber, topic.slug, "subscribed", context)
    subscriber.subscriptions[topic.slug] = subscription
    _start(subscription, context, ledger.record_wording(session, context.wording))
    event = "resubscribed" if left else "subscribed"
    result = record(session, subscriber, event, "topic", topic, context, before)
    return ChangeResult(changed=True, first_seq=first, last_seq=result.last_seq)


def _is_newer(stop: datetime | None, asked_at: datetime) -> bool:
    return stop is not None and stop > asked_at


def _lift_stops(
    session: Session, subscriber: Subscriber, joined: Topic, context: ChangeContext
) -> None:
    """Turn a stop of everything into a stop of everything but one topic."""
    for kind in sorted(subscriber.suppressions, reverse=True):
        remove_suppression(session, subscriber, kind, "resubscribed", context)
    for topic in topics.list_topics(session):
        # Also what they never had, and what is archived: no import or other tool may bring it.
        held = subscriber.subscriptions.get(topic.slug)
        ended = held is not None and held.status == "unsubscribed"
        if topic.slug != joined.slug and not ended:
            before = capture(subscriber, [subscription_key(topic.slug)])
            end_topic(subscriber, topic.slug, context)
            record(session, subscriber, "stayed_off", "topic", topic, context, before)


def _start(subscription: Subscription, context: ChangeContext, wording: bytes | None) -> None:
    subscription.status, subscription.frequency = "subscribed", "every"
    subscription.paused_until, subscription.repeated_at = None, None
    subscription.source, subscription.basis = context.source, "consent"
    subscription.changed_at = subscription.consent_at = context.occurred_at
    subscription.consent_source, subscription.consent_wording = CONSENT_SOURCE, wording
    subscription.updated_at = context.recorded_at
