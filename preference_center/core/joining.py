"""Start a topic. This always requires the button behind an emailed confirm link.

No other module records consent as the subscriber's own (`basis` is `consent`). The link must be
newer than every unsubscribe that it would lift, and newer than every complaint.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox, subscribers, topics
from preference_center.core.change import Change, ChangeContext, ChangeResult, Target
from preference_center.core.consent import end_topic, new_subscription
from preference_center.core.preferences import (
    bounced_at,
    can_be_emailed,
    complained_at,
    is_reachable,
    receives,
    stopped_at,
)
from preference_center.core.recording import record, unchanged
from preference_center.core.snapshots import capture
from preference_center.core.subscriptions import remove_suppression
from preference_center.core.vocab import (
    ConfirmState,
    Event,
    Frequency,
    NotSaved,
    OutboxKind,
    Status,
)
from preference_center.store.tables import Subscriber, Subscription, Topic

CONSENT_SOURCE = "confirm link"


@dataclass(frozen=True)
class StartTopic(Change[ChangeResult]):
    """A press of the button behind a confirm link that was requested at `asked_at`."""

    topic: str
    asked_at: datetime
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def make(self, session: Session, subscriber: Subscriber) -> ChangeResult:
        topic = session.get_one(Topic, self.topic)
        return join(session, subscriber, topic, self.context, asked_at=self.asked_at)


def ask(
    session: Session, subscriber: Subscriber, topic: str, now: datetime, *, smtp: bool
) -> NotSaved | None:
    """Queue the email with a confirm link for a topic, or return why none is sent.

    `smtp` says whether this installation sends email. At most one such email per topic is pending,
    and only a few are sent a day: further requests are dropped silently, since the links already
    sent work.
    """
    if complained_at(subscriber) is not None:
        return NotSaved.COMPLAINED
    if not (smtp and can_be_emailed(subscriber)):
        return NotSaved.NO_EMAIL
    outbox.request(session, subscriber.subscriber_id, OutboxKind.OPT_IN_REQUEST, now, topic)
    return None


def ask_again(
    session: Session, subscriber_id: UUID, topic: str, now: datetime, *, smtp: bool
) -> NotSaved | None:
    """Queue a newer confirm link for a subscriber who has an older one, as `ask` does."""
    subscriber = subscribers.lock(session, subscriber_id, now)
    return ask(session, subscriber, topic, now, smtp=smtp)


def confirm_state(
    subscriber: Subscriber | None, topic: Topic | None, asked_at: datetime
) -> ConfirmState:
    """Return what a confirm link for `topic`, requested at `asked_at`, can do now."""
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
    """Start a topic if `confirm_state` is READY; else change nothing.

    `asked_at` is when the confirm link was requested. A global unsubscribe is replaced by an
    unsubscribe from each other topic, so that no opt-out topic starts.
    """
    if confirm_state(subscriber, topic, asked_at) is not ConfirmState.READY:
        return unchanged(subscriber)
    first = subscriber.seq + 1
    known = subscriber.subscriptions.get(topic.slug)
    left = known is not None and known.status is Status.UNSUBSCRIBED
    if subscriber.suppressions:
        _remove_suppressions(session, subscriber, topic, context)
        left = True
    target = Target.of(topic.slug)
    before = capture(subscriber, [target])
    subscription = known or new_subscription(subscriber, topic.slug, Status.SUBSCRIBED, context)
    subscriber.subscriptions[topic.slug] = subscription
    _start(subscription, context, ledger.record_wording(session, context.wording))
    event = Event.RESUBSCRIBED if left else Event.SUBSCRIBED
    result = record(session, subscriber, event, target, context, before)
    return ChangeResult(changed=True, first_seq=first, last_seq=result.last_seq)


def _is_newer(stop: datetime | None, asked_at: datetime) -> bool:
    return stop is not None and stop > asked_at


def _remove_suppressions(
    session: Session, subscriber: Subscriber, joined: Topic, context: ChangeContext
) -> None:
    """Turn an unsubscribe from everything into one from everything but one topic."""
    for kind in sorted(subscriber.suppressions, reverse=True):
        remove_suppression(session, subscriber, kind, Event.RESUBSCRIBED, context)
    for topic in topics.list_topics(session):
        # Topics that the subscriber never had and archived ones end too, so that no import or
        # other tool starts them.
        known = subscriber.subscriptions.get(topic.slug)
        ended = known is not None and known.status is Status.UNSUBSCRIBED
        if topic.slug != joined.slug and not ended:
            target = Target.of(topic.slug)
            before = capture(subscriber, [target])
            end_topic(subscriber, topic.slug, context)
            record(session, subscriber, Event.STAYED_OFF, target, context, before)


def _start(subscription: Subscription, context: ChangeContext, wording: bytes | None) -> None:
    subscription.status, subscription.frequency = Status.SUBSCRIBED, Frequency.EVERY
    subscription.paused_until, subscription.repeated_at = None, None
    subscription.source, subscription.basis = context.source, "consent"
    subscription.changed_at = subscription.consent_at = context.occurred_at
    subscription.consent_source, subscription.consent_wording = CONSENT_SOURCE, wording
    subscription.updated_at = context.recorded_at
