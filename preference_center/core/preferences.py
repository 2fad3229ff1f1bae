"""Read what somebody gets, and what they have stopped."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from preference_center.core import topics
from preference_center.links.addresses import mask
from preference_center.store.tables import Subscriber, Subscription, Topic

FREQUENCIES = ("every", "weekly", "monthly")  # each less than the one before
_CAPS_BELOW = {"irregular": ("weekly", "monthly"), "weekly": ("monthly",), "monthly": ()}


@dataclass(frozen=True)
class TopicPreference:
    """One topic as one person stands to it. `stopped_at` is None while mail may come.

    `offered` says that anybody may choose it; private and archived ones are not. `received`
    says that mail may come: at most as `frequency` says, and from `paused_until` on where that
    lies ahead. `caps` are the frequencies below the topic's own cadence.
    """

    slug: str
    name: str
    description: str
    archived: bool
    offered: bool
    received: bool
    frequency: str
    paused_until: datetime | None
    caps: tuple[str, ...]
    stopped_at: datetime | None
    reader_since: datetime | None

    @property
    def state(self) -> str:
        """Return what a form may change: `off`, or how often it comes."""
        return self.frequency if self.received else "off"

    @property
    def smaller(self) -> list[str]:
        """Return the caps that are less than what this person gets now."""
        now = FREQUENCIES.index(self.frequency)
        return [cap for cap in self.caps if FREQUENCIES.index(cap) > now]


@dataclass(frozen=True)
class SubscriberPreferences:
    """One person: the address if known, the stop of everything if any, and every topic.

    `reachable` is False after erasure, and where the sender has stopped the address.
    `bounced_at` is when email to it was stopped because it had failed, or None. `complained` says
    that a spam complaint is in force: no page starts a topic then.
    """

    email: str | None
    all_stopped_at: datetime | None
    reachable: bool
    bounced_at: datetime | None
    complained: bool
    locale: str | None
    topics: dict[str, TopicPreference]

    @property
    def masked(self) -> str:
        """Return the address as a page may show it, or "" where none is known."""
        return mask(self.email) if self.email else ""

    @property
    def received(self) -> list[TopicPreference]:
        """Return what still comes."""
        return [topic for topic in self.topics.values() if topic.received]

    @property
    def shown(self) -> list[TopicPreference]:
        """Return what a person can choose: what anybody may, and whatever comes to them."""
        return [topic for topic in self.topics.values() if topic.offered or topic.received]

    def can_start(self, topic: TopicPreference) -> bool:
        """Return True if a confirm link may be emailed for a topic that is not received."""
        ready = self.email is not None and self.reachable and not self.complained
        return ready and topic.offered and not topic.received

    def is_complete(self, slug: str) -> bool:
        """Tell whether to leave one topic is to leave everything: no other is offered or comes."""
        others = (topic for topic in self.topics.values() if topic.slug != slug)
        return not any(topic.offered or topic.received for topic in others)


def receives(subscriber: Subscriber | None, topic: Topic) -> bool:
    """Tell whether mail on a topic may come to somebody, now or when a pause has ended."""
    if topic.archived_at is not None:
        return False
    if subscriber is None:
        return topic.policy == "opt_out"
    if subscriber.suppressions or subscriber.erased_at is not None:
        return False
    subscription = subscriber.subscriptions.get(topic.slug)
    if subscription is None:
        return topic.policy == "opt_out"
    return subscription.status == "subscribed"


def bounced_at(subscriber: Subscriber) -> datetime | None:
    """Return when failed deliveries last stopped email to a subscriber, or None."""
    stops = [stop for stop in subscriber.suppressions.values() if stop.source == "bounce"]
    # A bounce repeated stops nothing new; of a stop of all topics it may be a person's repeat.
    return _latest(
        [(stop.since, stop.repeated_at if stop.kind == "address" else None) for stop in stops]
    )


def complained_at(subscriber: Subscriber) -> datetime | None:
    """Return when the last spam complaint that still stops anything came, or None."""
    stops = [stop for stop in subscriber.suppressions.values() if stop.source == "complaint"]
    ended = [
        each
        for each in subscriber.subscriptions.values()
        if (each.status, each.source) == ("unsubscribed", "complaint")
    ]
    return _latest(
        [
            *((stop.since, stop.repeated_at) for stop in stops),
            *((each.changed_at, each.repeated_at) for each in ended),
        ]
    )


def stopped_at(subscriber: Subscriber, slug: str) -> datetime | None:
    """Return when the last stop came that covers a topic, repeats included, or None."""
    times = [(stop.since, stop.repeated_at) for stop in subscriber.suppressions.values()]
    held = subscriber.subscriptions.get(slug)
    if held is not None and held.status == "unsubscribed":
        times.append((held.changed_at, held.repeated_at))
    return _latest(times)


def _latest(times: Iterable[tuple[datetime, datetime | None]]) -> datetime | None:
    return max((at for pair in times for at in pair if at is not None), default=None)


def is_reachable(subscriber: Subscriber) -> bool:
    """Return True if an email that was asked for may be tried: a bounce may have been passing."""
    stop = subscriber.suppressions.get("address")
    return subscriber.erased_at is None and (stop is None or stop.source == "bounce")


def can_be_emailed(subscriber: Subscriber) -> bool:
    """Return True if the address is known, and an email that was asked for may be tried."""
    return subscriber.email is not None and is_reachable(subscriber)


def read(
    subscriber: Subscriber | None, known: Iterable[Topic], locale: str, now: datetime
) -> SubscriberPreferences:
    """Return where a person stands; one never seen gets what silence means for each topic."""
    stops = subscriber.suppressions if subscriber is not None else {}
    return SubscriberPreferences(
        email=subscriber.email if subscriber is not None else None,
        all_stopped_at=stops["all"].since if "all" in stops else None,
        reachable=subscriber is None or is_reachable(subscriber),
        bounced_at=bounced_at(subscriber) if subscriber is not None else None,
        complained=subscriber is not None and complained_at(subscriber) is not None,
        locale=subscriber.locale if subscriber is not None else None,
        topics={topic.slug: _topic(topic, subscriber, locale, now) for topic in known},
    )


def _topic(
    topic: Topic, subscriber: Subscriber | None, locale: str, now: datetime
) -> TopicPreference:
    subscription = subscriber.subscriptions.get(topic.slug) if subscriber is not None else None
    text = topics.text(topic, locale)
    archived = topic.archived_at is not None
    stopped = subscription is not None and subscription.status == "unsubscribed"
    return TopicPreference(
        slug=topic.slug,
        name=text.name,
        description=text.description,
        archived=archived,
        offered=topic.public and not archived,
        received=receives(subscriber, topic),
        frequency=subscription.frequency if subscription is not None else "every",
        paused_until=_ahead(subscription, now),
        caps=_CAPS_BELOW[topic.cadence],
        stopped_at=subscription.changed_at if subscription is not None and stopped else None,
        reader_since=subscription.consent_at if subscription is not None else None,
    )


def _ahead(subscription: Subscription | None, now: datetime) -> datetime | None:
    until = subscription.paused_until if subscription is not None else None
    return until if until is not None and until > now else None
