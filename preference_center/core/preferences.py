"""Read what somebody gets, and what they have stopped."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from preference_center.addresses import mask
from preference_center.core import topics
from preference_center.store.tables import Subscriber, Topic


@dataclass(frozen=True)
class TopicStanding:
    """One topic as one person stands to it. `stopped_at` is None while mail may come.

    `offered` says that anybody may choose it; private and archived ones are not.
    """

    slug: str
    name: str
    description: str
    archived: bool
    offered: bool
    received: bool
    stopped_at: datetime | None
    reader_since: datetime | None


@dataclass(frozen=True)
class Standing:
    """One person: the address if known, the stop of everything if any, and every topic."""

    email: str | None
    all_stopped_at: datetime | None
    topics: dict[str, TopicStanding]

    @property
    def masked(self) -> str:
        """Return the address as a page may show it, or "" where none is known."""
        return mask(self.email) if self.email else ""

    @property
    def received(self) -> list[TopicStanding]:
        """Return what still comes."""
        return [topic for topic in self.topics.values() if topic.received]

    def is_all_there_is(self, slug: str) -> bool:
        """Tell whether to leave one topic is to leave everything: no other is offered or comes."""
        others = (topic for topic in self.topics.values() if topic.slug != slug)
        return not any(topic.offered or topic.received for topic in others)


def standing(subscriber: Subscriber | None, known: Iterable[Topic], locale: str) -> Standing:
    """Return where a person stands; one never seen gets what silence means for each topic."""
    every = list(known)
    stops = subscriber.suppressions if subscriber is not None else {}
    return Standing(
        email=subscriber.email if subscriber is not None else None,
        all_stopped_at=stops["all"].since if "all" in stops else None,
        topics={
            topic.slug: _topic(
                topic,
                subscriber,
                locale,
                stopped=bool(stops)
                or (subscriber is not None and subscriber.erased_at is not None),
            )
            for topic in every
        },
    )


def _topic(
    topic: Topic, subscriber: Subscriber | None, locale: str, *, stopped: bool
) -> TopicStanding:
    subscription = subscriber.subscriptions.get(topic.slug) if subscriber is not None else None
    text = topics.text(topic, locale)
    archived = topic.archived_at is not None
    if subscription is None:
        wanted, stopped_at, since = topic.policy == "opt_out", None, None
    else:
        wanted = subscription.status == "subscribed"
        stopped_at = subscription.changed_at if subscription.status == "unsubscribed" else None
        since = subscription.consent_at
    return TopicStanding(
        slug=topic.slug,
        name=text.name,
        description=text.description,
        archived=archived,
        offered=topic.public and not archived,
        received=wanted and not archived and not stopped,
        stopped_at=stopped_at,
        reader_since=since,
    )
