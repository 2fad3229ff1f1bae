"""What is on record about a subscriber, as plain values that decisions read and change.

The fields are the columns of the tables, in their order. `core.work` reads and writes the rows.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from preference_center.core.vocab import Frequency, Scope, Source, Status
from preference_center.store.seals import FIRST_HEAD

EXPLICIT_BEFORE = 0  # `explicit_from` if silence meant no in the system that the person comes from


@dataclass(slots=True)
class Subscription:
    """What one subscriber gets of one topic; `store.tables` describes the columns."""

    topic: str
    status: Status
    frequency: Frequency
    paused_until: datetime | None
    changed_at: datetime
    source: Source
    basis: str
    acquired_from: str
    consent_at: datetime | None
    consent_source: str
    consent_wording: bytes | None
    updated_at: datetime
    repeated_at: datetime | None = None

    def values(self) -> tuple[Any, ...]:
        """Return the values of the columns, without the subscriber."""
        return (
            self.topic,
            self.status,
            self.frequency,
            self.paused_until,
            self.changed_at,
            self.source,
            self.basis,
            self.acquired_from,
            self.consent_at,
            self.consent_source,
            self.consent_wording,
            self.updated_at,
            self.repeated_at,
        )


@dataclass(slots=True)
class Suppression:
    """An unsubscribe from `all` topics, or from every email to the `address`."""

    kind: Scope
    since: datetime
    source: Source
    updated_at: datetime
    repeated_at: datetime | None = None

    def values(self) -> tuple[Any, ...]:
        """Return the values of the columns, without the subscriber."""
        return (self.kind, self.since, self.source, self.updated_at, self.repeated_at)


@dataclass(slots=True)
class Subscriber:
    """One subscriber with all subscriptions by topic, and all suppressions by kind."""

    subscriber_id: UUID
    email: str | None
    locale: str | None
    delivered_on: date | None
    created_at: datetime
    erased_at: datetime | None
    seq: int
    head: bytes
    explicit_from: int | None
    is_spelling: bool = False
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    suppressions: dict[Scope, Suppression] = field(default_factory=dict)

    @classmethod
    def new(cls, subscriber_id: UUID, now: datetime) -> "Subscriber":
        """Return a subscriber who was not on record before."""
        return cls(subscriber_id, None, None, None, now, None, 0, FIRST_HEAD, None)

    def values(self) -> tuple[Any, ...]:
        """Return the values of the columns of the subscriber's own row."""
        return (
            self.subscriber_id,
            self.email,
            self.locale,
            self.delivered_on,
            self.created_at,
            self.erased_at,
            self.seq,
            self.head,
            self.explicit_from,
            self.is_spelling,
        )

    def note_silence(self, first: int) -> None:
        """Note that silence means no from ledger row `first` on, if it does not yet.

        Nothing is noted about a person who is erased.
        """
        if self.explicit_from is None and self.erased_at is None:
            self.explicit_from = first

    def mark_updated(self, now: datetime) -> None:
        """Note that the effect of every subscription has changed: exports by time list it."""
        for subscription in self.subscriptions.values():
            subscription.updated_at = now


@dataclass(slots=True)
class Loaded:
    """A subscriber's rows as they were loaded: the values of each, to see what has changed.

    `own` is None for a subscriber who was not on record.
    """

    own: tuple[Any, ...] | None = None
    subscriptions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    suppressions: dict[Scope, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def received(self) -> set[tuple[str, str]]:
        """Return the topics that the subscriber is subscribed to, each with its frequency.

        It is none if a suppression ends all.
        """
        if self.suppressions:
            return set()
        return {
            (topic, str(frequency))
            for topic, (_, status, frequency, *_) in self.subscriptions.items()
            if status == Status.SUBSCRIBED
        }

    @classmethod
    def of(cls, subscriber: Subscriber) -> "Loaded":
        """Return the current values of a subscriber."""
        return cls(
            subscriber.values(),
            {topic: each.values() for topic, each in subscriber.subscriptions.items()},
            {kind: each.values() for kind, each in subscriber.suppressions.items()},
        )

    def subscriber(self) -> Subscriber:
        """Return the subscriber, who must be on record."""
        own: Any = self.own
        subscriber = Subscriber(*own)
        for topic, values in self.subscriptions.items():
            subscriber.subscriptions[topic] = Subscription(*values)
        for kind, values in self.suppressions.items():
            subscriber.suppressions[kind] = Suppression(*values)
        return subscriber
