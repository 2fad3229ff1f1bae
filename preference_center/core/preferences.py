"""Read what a subscriber receives, and what they have unsubscribed from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from preference_center.core import topics
from preference_center.core.state import Subscriber, Subscription, Suppression
from preference_center.core.vocab import (
    Frequency,
    Scope,
    Source,
    Status,
    TopicPolicy,
    TopicVisibility,
)
from preference_center.links.addresses import mask
from preference_center.store.tables import Topic


@dataclass(frozen=True)
class TopicPreference:
    """One topic and what one subscriber receives of it.

    `offered` is True if the topic is public and not archived; `internal` topics are on no page.
    `received` is True if the
    subscriber may get email on it, at most as often as `frequency` says, and not before
    `paused_until`, which is in the future or None. `caps` are the frequencies below the topic's
    cadence. `stopped_at` is when the subscriber unsubscribed from it, or None.
    """

    slug: str
    name: str
    description: str
    archived: bool
    offered: bool
    internal: bool
    received: bool
    frequency: Frequency
    paused_until: datetime | None
    caps: tuple[Frequency, ...]
    stopped_at: datetime | None
    reader_since: datetime | None

    @property
    def state(self) -> Frequency | None:
        """Return the frequency that a form may change, or None if the topic is not received."""
        return self.frequency if self.received else None

    @property
    def choices(self) -> list[Frequency]:
        """Return the frequencies that a form offers."""
        offered = (Frequency.EVERY, self.frequency, *self.caps)
        return [each for each in Frequency if each in offered]

    @property
    def smaller(self) -> list[Frequency]:
        """Return the caps that are less than what the subscriber gets now."""
        return [cap for cap in self.caps if cap.is_less_than(self.frequency)]


@dataclass(frozen=True)
class SubscriberPreferences:
    """One subscriber: the address if it is known, the global unsubscribe if any, and every topic.

    `reachable` is False after erasure, and if the sender has suppressed the address. `bounced_at`
    is when bounces suppressed it, or None. `complained` is True while a spam complaint is in
    force: no page starts a topic then. `erased_at` is when the subscriber was erased, or None.
    """

    email: str | None
    all_stopped_at: datetime | None
    reachable: bool
    bounced_at: datetime | None
    complained: bool
    locale: str | None
    topics: dict[str, TopicPreference]
    erased_at: datetime | None = None

    @property
    def masked(self) -> str:
        """Return the address as a page may show it, or "" if it is not known."""
        return mask(self.email) if self.email else ""

    @property
    def received(self) -> list[TopicPreference]:
        """Return the topics that the subscriber receives."""
        return [topic for topic in self.topics.values() if topic.received]

    @property
    def paused_until(self) -> datetime | None:
        """Return when the first topic starts again if every topic is paused, otherwise None."""
        ends = [topic.paused_until for topic in self.received]
        return min((end for end in ends if end is not None), default=None) if all(ends) else None

    @property
    def shown(self) -> list[TopicPreference]:
        """Return the topics that the subscriber can choose, and those that they receive."""
        return [
            topic
            for topic in self.topics.values()
            if topic.offered or (topic.received and not topic.internal)
        ]

    def can_start(self, topic: TopicPreference) -> bool:
        """Return True if a confirm link may be emailed for a topic that is not received."""
        ready = self.email is not None and self.reachable and not self.complained
        return ready and topic.offered and not topic.received

    @property
    def has_choice(self) -> bool:
        """Return True if a topic is received, or can be started where emails are sent."""
        return any(topic.received or self.can_start(topic) for topic in self.topics.values())

    def is_complete(self, slug: str) -> bool:
        """Return True if no other topic is offered or received: leaving it leaves everything."""
        others = (topic for topic in self.topics.values() if topic.slug != slug)
        return not any(topic.offered or topic.received for topic in others)


def receives(subscriber: Subscriber | None, topic: Topic) -> bool:
    """Return True if a subscriber gets a topic, now or once a pause has ended."""
    if topic.archived_at is not None:
        return False
    if subscriber is None:
        return topic.policy is TopicPolicy.OPT_OUT
    if subscriber.suppressions or subscriber.erased_at is not None:
        return False
    subscription = subscriber.subscriptions.get(topic.slug)
    if subscription is None:
        return topic.policy is TopicPolicy.OPT_OUT and subscriber.explicit_from is None
    return subscription.status is Status.SUBSCRIBED


def bounced_at(subscriber: Subscriber) -> datetime | None:
    """Return when bounces last suppressed a subscriber, or None."""
    stops = [each for each in subscriber.suppressions.values() if each.source is Source.BOUNCE]
    # The repeat of a suppression of all topics may be the subscriber's own.
    return _latest(
        [(stop.since, stop.repeated_at if stop.kind is Scope.ADDRESS else None) for stop in stops]
    )


def complained_at(subscriber: Subscriber) -> datetime | None:
    """Return when the last spam complaint came that is still in force, or None."""
    return _latest(
        (each.since if isinstance(each, Suppression) else each.changed_at, each.repeated_at)
        for each in _complaints(subscriber)
    )


def first_complained_at(subscriber: Subscriber) -> datetime | None:
    """Return when the first of the spam complaints was recorded that are in force, or None."""
    return min((each.updated_at for each in _complaints(subscriber)), default=None)


def _complaints(subscriber: Subscriber) -> list[Suppression | Subscription]:
    stops = [each for each in subscriber.suppressions.values() if each.source is Source.COMPLAINT]
    ended = [
        each
        for each in subscriber.subscriptions.values()
        if (each.status, each.source) == (Status.UNSUBSCRIBED, Source.COMPLAINT)
    ]
    return [*stops, *ended]


def stopped_at(subscriber: Subscriber, slug: str) -> datetime | None:
    """Return when the last unsubscribe that covers a topic came, repeats included, or None."""
    times = [(stop.since, stop.repeated_at) for stop in subscriber.suppressions.values()]
    held = subscriber.subscriptions.get(slug)
    if held is not None and held.status is Status.UNSUBSCRIBED:
        times.append((held.changed_at, held.repeated_at))
    return _latest(times)


def _latest(times: Iterable[tuple[datetime, datetime | None]]) -> datetime | None:
    return max((at for pair in times for at in pair if at is not None), default=None)


def is_reachable(subscriber: Subscriber) -> bool:
    """Return True if a requested email may be tried: a bounce may have been temporary."""
    stop = subscriber.suppressions.get(Scope.ADDRESS)
    return subscriber.erased_at is None and (stop is None or stop.source is Source.BOUNCE)


def can_be_emailed(subscriber: Subscriber) -> bool:
    """Return True if the address is known and a requested email may be tried."""
    return subscriber.email is not None and is_reachable(subscriber)


def read(
    subscriber: Subscriber | None, known: Iterable[Topic], locale: str, now: datetime
) -> SubscriberPreferences:
    """Return a subscriber's preferences; for None, those of an address that is not on record."""
    stops = subscriber.suppressions if subscriber is not None else {}
    return SubscriberPreferences(
        email=subscriber.email if subscriber is not None else None,
        all_stopped_at=stops[Scope.ALL].since if Scope.ALL in stops else None,
        reachable=subscriber is None or is_reachable(subscriber),
        bounced_at=bounced_at(subscriber) if subscriber is not None else None,
        complained=subscriber is not None and complained_at(subscriber) is not None,
        locale=subscriber.locale if subscriber is not None else None,
        topics={topic.slug: _topic(topic, subscriber, locale, now) for topic in known},
        erased_at=subscriber.erased_at if subscriber is not None else None,
    )


def _topic(
    topic: Topic, subscriber: Subscriber | None, locale: str, now: datetime
) -> TopicPreference:
    subscription = subscriber.subscriptions.get(topic.slug) if subscriber is not None else None
    text = topics.text(topic, locale)
    archived = topic.archived_at is not None
    stopped = subscription is not None and subscription.status is Status.UNSUBSCRIBED
    return TopicPreference(
        slug=topic.slug,
        name=text.name,
        description=text.description,
        archived=archived,
        offered=topic.visibility is TopicVisibility.PUBLIC and not archived,
        internal=topic.visibility is TopicVisibility.INTERNAL,
        received=receives(subscriber, topic),
        frequency=subscription.frequency if subscription is not None else Frequency.EVERY,
        paused_until=_ahead(subscription, now),
        caps=topic.cadence.caps_below,
        stopped_at=subscription.changed_at if subscription is not None and stopped else None,
        reader_since=subscription.consent_at if subscription is not None else None,
    )


def _ahead(subscription: Subscription | None, now: datetime) -> datetime | None:
    until = subscription.paused_until if subscription is not None else None
    return until if until is not None and until > now else None
