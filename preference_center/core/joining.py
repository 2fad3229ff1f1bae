"""Start topics. This requires the page of an emailed confirm link, or a signed-in link.

No other module records consent as the subscriber's own (`basis` is `consent`). A confirm link must
be newer than every unsubscribe that it would lift, and newer than every complaint. A signed-in link
lifts only what the subscriber has unsubscribed from themselves. `sign_ups` decides about the links
of sign-ups.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy.orm import Session

from preference_center.core import outbox
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.consent import end_topic, new_subscription
from preference_center.core.draft import Change, Draft
from preference_center.core.ledger import digest_of_wording
from preference_center.core.preferences import (
    bounced_at,
    can_be_emailed,
    complained_at,
    is_reachable,
    receives,
    stopped_at,
)
from preference_center.core.state import Subscriber, Subscription, Suppression
from preference_center.core.subscriptions import remove_suppression
from preference_center.core.vocab import (
    ConfirmState,
    Event,
    Frequency,
    NotSaved,
    OutboxKind,
    Status,
)
from preference_center.store.tables import Topic

CONFIRM_LINK, SIGNED_IN_LINK = "confirm link", "signed-in link"  # sources of consent
LINK_LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class StartTopic(Change[ChangeResult]):
    """A press of the button on the page of a confirm link that was requested at `asked_at`."""

    topic: str
    asked_at: datetime
    context: ChangeContext
    needs_all_topics: ClassVar[bool] = True

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def make(self, draft: Draft) -> ChangeResult:
        return join(draft, self.topic, self.context, asked_at=self.asked_at)


@dataclass(frozen=True)
class AskAgain(Change[NotSaved | None]):
    """A request for a newer confirm link by a subscriber who has an older one, for `apply`.

    `smtp` says whether this installation sends email. `language` is the one that the subscriber
    chose for the page, or None. The result is as that of `ask`.
    """

    topic: str
    smtp: bool
    language: str | None = None

    def make(self, draft: Draft) -> NotSaved | None:
        draft.language = self.language
        return ask(draft, self.topic, smtp=self.smtp)


def ask(draft: Draft, topic: str, *, smtp: bool) -> NotSaved | None:
    """Queue the email with a confirm link for a topic, or return why none is sent.

    `smtp` says whether this installation sends email. At most one such email per topic is pending,
    and only a few are sent a day: further requests are dropped silently, since the links already
    sent work.
    """
    refusal = why_not_ask(draft.subscriber, smtp=smtp)
    if refusal is None:
        draft.requests.append((OutboxKind.OPT_IN_REQUEST, topic))
    return refusal


def why_not_ask(subscriber: Subscriber, *, smtp: bool) -> NotSaved | None:
    """Return why no confirm link may be emailed to a subscriber, or None."""
    if complained_at(subscriber) is not None:
        return NotSaved.COMPLAINED
    return None if smtp and can_be_emailed(subscriber) else NotSaved.NO_EMAIL


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


def starts_at_once(subscriber: Subscriber | None, topic: Topic, now: datetime) -> bool:
    """Return True if a signed-in link starts a topic without an emailed confirm link.

    Every unsubscribe that it would lift must be the subscriber's own, and must not have been
    repeated: the repeat may have come through another channel.
    """
    if confirm_state(subscriber, topic, now) is not ConfirmState.READY:
        return False
    if subscriber is None:
        return True
    stops: list[Subscription | Suppression] = [*subscriber.suppressions.values()]
    held = subscriber.subscriptions.get(topic.slug)
    if held is not None and held.status is Status.UNSUBSCRIBED:
        stops.append(held)
    own = all(each.source.is_own and each.repeated_at is None for each in stops)
    return own and complained_at(subscriber) is None


def waiting(
    session: Session, subscriber: Subscriber | None, known: Iterable[Topic], now: datetime
) -> set[str]:
    """Return the topics that an emailed confirm link would start, if it were opened now."""
    if subscriber is None:
        return set()
    asked = outbox.opt_in_requests(session, subscriber.subscriber_id, now - LINK_LIFETIME)
    return {
        topic.slug
        for topic in known
        if topic.slug in asked
        and confirm_state(subscriber, topic, asked[topic.slug]) is ConfirmState.READY
    }


def join(
    draft: Draft,
    topic: str,
    context: ChangeContext,
    *,
    asked_at: datetime,
    consent_source: str = CONFIRM_LINK,
) -> ChangeResult:
    """Start a topic if `confirm_state` is READY; else change nothing.

    `asked_at` is when the confirm link was requested. For a signed-in link it is now, and the
    caller has checked `starts_at_once`. `start` says what happens to the other topics.
    """
    if confirm_state(draft.subscriber, draft.topics[topic], asked_at) is not ConfirmState.READY:
        return draft.unchanged()
    return start(draft, [topic], context, consent_source)


def start(
    draft: Draft, slugs: Sequence[str], context: ChangeContext, consent_source: str
) -> ChangeResult:
    """Start topics that are not received, and remove every suppression.

    A global unsubscribe is replaced by an unsubscribe from each other topic, and from then on
    silence means no, so that no opt-out topic starts. The draft has all topics.
    """
    subscriber = draft.subscriber
    first, stopped = subscriber.seq + 1, bool(subscriber.suppressions)
    for kind in sorted(subscriber.suppressions, reverse=True):
        remove_suppression(draft, kind, Event.RESUBSCRIBED, context)
    if stopped:
        # Topics that the subscriber never had and archived ones end too, so that no import or
        # other tool starts them.
        stay_off(draft, [slug for slug in draft.topics if slug not in slugs], context)
    for slug in slugs:
        _start_one(draft, slug, context, consent_source, again=stopped)
    if stopped:
        subscriber.note_silence(first)
    return draft.since(first)


def stay_off(draft: Draft, slugs: Iterable[str], context: ChangeContext) -> None:
    """End topics that the subscriber has not chosen, unless they have ended before."""
    subscriber = draft.subscriber
    for slug in sorted(slugs):
        known = subscriber.subscriptions.get(slug)
        if known is None or known.status is not Status.UNSUBSCRIBED:
            target = Target.of(slug)
            before = draft.capture(target)
            end_topic(subscriber, slug, context)
            draft.record(Event.STAYED_OFF, target, context, before)


def _is_newer(stop: datetime | None, asked_at: datetime) -> bool:
    return stop is not None and stop > asked_at


def _start_one(
    draft: Draft, slug: str, context: ChangeContext, consent_source: str, *, again: bool
) -> None:
    """Start one topic. `again` says that a suppression had ended it."""
    known, target = draft.subscriber.subscriptions.get(slug), Target.of(slug)
    left = again or (known is not None and known.status is Status.UNSUBSCRIBED)
    before = draft.capture(target)
    subscription = known or new_subscription(slug, Status.SUBSCRIBED, context)
    draft.subscriber.subscriptions[slug] = subscription
    _start(subscription, context, consent_source)
    draft.record(Event.RESUBSCRIBED if left else Event.SUBSCRIBED, target, context, before)


def _start(subscription: Subscription, context: ChangeContext, consent_source: str) -> None:
    subscription.status, subscription.frequency = Status.SUBSCRIBED, Frequency.EVERY
    subscription.paused_until, subscription.repeated_at = None, None
    subscription.source, subscription.basis = context.source, "consent"
    subscription.changed_at = subscription.consent_at = context.occurred_at
    subscription.consent_source = consent_source
    subscription.consent_wording = digest_of_wording(context.wording)
    subscription.updated_at = context.recorded_at
