"""Changes that a sender's program or staff makes on a subscriber's behalf.

Less is always applied. Nothing that the subscriber has stopped or reduced is undone: a topic that
was stopped needs an emailed confirm link, and after a complaint there is none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import ClassVar, TypeVar

from sqlalchemy.orm import Session

from preference_center.core import joining, ledger, preferences, subscriptions, topics
from preference_center.core.api_vocab import Outcome
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.consent import (
    Unsubscribe,
    end_consent,
    new_subscription,
    record_subscription,
)
from preference_center.core.draft import Change, Draft
from preference_center.core.errors import (
    StaleVersionError,
    UnknownSubscriberError,
    UnknownTopicError,
)
from preference_center.core.state import Subscriber, Subscription
from preference_center.core.vocab import Event, Frequency, Pause, Source, Status
from preference_center.links.addresses import is_mailable

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Statement:
    """What a sender states about a change.

    `channel` is how the subscriber asked for it, `grounds` why it may be made, and `wording` what
    the subscriber was told or said.
    """

    channel: str
    grounds: str
    wording: str

    def context(self, source: Source, now: datetime, zone: tzinfo) -> ChangeContext:
        """Return the context of a change. The ledger's details keep channel and grounds.

        A pause ends with a day in `zone`. No change notice is sent, because it offers undo of the
        subscriber's own changes.
        """
        return ChangeContext(
            source,
            now,
            now,
            wording=self.wording,
            stated_source=f"channel: {self.channel}; grounds: {self.grounds}",
            time_zone=zone,
        )


@dataclass(frozen=True)
class TopicWish:
    """What a subscriber wants of a topic. What is None stays as it is; `resume` ends a pause."""

    stop: bool
    frequency: Frequency | None = None
    pause: Pause | None = None
    resume: bool = False


@dataclass(frozen=True)
class StopOnBehalf(Unsubscribe):
    """An unsubscribe, for `make`. `email` is recorded unless an address is on record."""

    email: str = ""

    def make(self, draft: Draft) -> ChangeResult:
        add_details(draft.subscriber, self.email)
        return end_consent(draft, self.target, _kept(self.context, draft.subscriber))


@dataclass(frozen=True)
class SaveOnBehalf(Change[dict[str, Outcome]]):
    """What a subscriber wants of some topics, for `make`; the result is by topic.

    `email` and `locale` are recorded unless they are on record. `versions` are the texts of the
    numbers that the newest ledger row may have, or None for any. `smtp` says whether this
    installation sends email, `sends` whether this change may.

    Raises:
        StaleVersionError: the newest ledger row is another one.
        UnknownSubscriberError: a topic is to be started, and neither subscriber nor email is known.
    """

    wishes: Mapping[str, TopicWish]
    statement: Statement
    context: ChangeContext
    smtp: bool
    sends: bool = True
    email: str = ""
    locale: str | None = None
    versions: Collection[str] | None = None
    needs_all_topics: ClassVar[bool] = True

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self.wishes)

    def first_row(self, subscriber: Subscriber) -> int | None:
        return ledger.first_row_looked_back(subscriber.seq) if subscriber.seq else None

    def make(self, draft: Draft) -> dict[str, Outcome]:
        subscriber = draft.subscriber
        if self.versions is not None and str(subscriber.seq) not in self.versions:
            raise StaleVersionError("the subscriber has changed since then")
        starts = not all(wish.stop for wish in self.wishes.values())
        if starts and not draft.is_on_record and not self.email:
            raise UnknownSubscriberError("there is no such subscriber")
        add_details(subscriber, self.email, self.locale)
        return {slug: self._save(draft, slug, wish) for slug, wish in self.wishes.items()}

    def _save(self, draft: Draft, slug: str, wish: TopicWish) -> Outcome:
        if wish.stop:
            context = _kept(self.context, draft.subscriber)
            return _outcome(end_consent(draft, Target.of(slug), context).changed)
        known, topic = draft.subscriber.subscriptions.get(slug), draft.topics[slug]
        if topic.archived_at is not None:
            return Outcome.ARCHIVED
        complained = preferences.complained_at(draft.subscriber) is not None
        if preferences.receives(draft.subscriber, topic) and (known is not None or complained):
            return self._adjust(draft, slug, wish)
        if complained:
            return Outcome.COMPLAINED
        if preferences.stopped_at(draft.subscriber, slug) or draft.subscriber.erased_at:
            return self._ask(draft, slug)
        new = self._subscription(slug, wish, known)
        return _outcome(record_subscription(draft, new, self.context).changed)

    def _ask(self, draft: Draft, slug: str) -> Outcome:
        refusal = joining.why_not_ask(draft.subscriber, smtp=self.smtp)
        if refusal is not None:
            return Outcome(refusal.value)
        if self.sends:
            joining.ask(draft, slug, smtp=self.smtp)
        return Outcome.CONFIRMATION_SENT

    def _subscription(self, slug: str, wish: TopicWish, known: Subscription | None) -> Subscription:
        """Return the subscription to a topic of which nothing was stopped."""
        new = new_subscription(slug, Status.SUBSCRIBED, self.context)
        held = known.frequency if known is not None else Frequency.EVERY
        new.frequency = wish.frequency or held
        if wish.pause is not None:
            at, zone = self.context.recorded_at, self.context.time_zone
            new.paused_until = subscriptions.paused_until(wish.pause, at, zone)
        new.basis, new.consent_source = self.statement.grounds, self.statement.channel
        new.consent_at = self.context.occurred_at
        new.consent_wording = ledger.digest_of_wording(self.statement.wording)
        return new

    def _adjust(self, draft: Draft, slug: str, wish: TopicWish) -> Outcome:
        """Change how much of a topic the subscriber gets: less first, then more."""
        first, context, refused = draft.subscriber.seq, self.context, False
        if wish.pause is not None:
            subscriptions.reduce_or_pause(draft, slug, wish.pause, context)
        elif wish.resume:
            refused = _chose(draft, slug, Event.PAUSED) and _is_paused(draft, slug, context)
            if not refused:
                subscriptions.resume(draft, slug, context)
        if wish.frequency is not None:
            more = subscriptions.frequency_of(draft.subscriber, slug).is_less_than(wish.frequency)
            if more and _chose(draft, slug, Event.REDUCED):
                refused = True
            else:
                subscriptions.set_frequency(draft, slug, wish.frequency, context)
        return Outcome.CHOSE_LESS if refused else _outcome(draft.subscriber.seq > first)


@dataclass(frozen=True)
class AdjustOnBehalf(SaveOnBehalf):
    """What a subscriber wants of topics that they get, for `make`. It starts none of the others."""

    def _save(self, draft: Draft, slug: str, wish: TopicWish) -> Outcome:
        if not preferences.receives(draft.subscriber, draft.topics[slug]):
            return Outcome.UNCHANGED
        return self._adjust(draft, slug, wish)


@dataclass(frozen=True)
class AskToStart(Change[Outcome]):
    """The email with a confirm link for a topic that a subscriber wants, for `make`.

    Nothing starts by it. `smtp` says whether this installation sends email.
    """

    topic: str
    smtp: bool

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def make(self, draft: Draft) -> Outcome:
        topic = draft.topics[self.topic]
        if topic.archived_at is not None:
            return Outcome.ARCHIVED
        if preferences.receives(draft.subscriber, topic):
            return Outcome.UNCHANGED
        refusal = joining.ask(draft, self.topic, smtp=self.smtp)
        return Outcome(refusal.value) if refusal is not None else Outcome.CONFIRMATION_SENT


def make(session: Session, change: Change[_Result], now: datetime) -> _Result:
    """Make a change on a subscriber's behalf; raise UnknownTopicError or what the change raises.

    A link creates the topic that it names. A program that misspells a topic must be told.
    """
    if not set(change.topics) <= topics.slugs(session):
        raise UnknownTopicError("there is no such topic")
    return apply_one(session, change, now)


def add_details(subscriber: Subscriber, email: str, locale: str | None = None) -> None:
    """Record an address and a language that are not on record, unless the person is erased."""
    if subscriber.erased_at is not None:
        return
    if subscriber.email is None and is_mailable(email):
        subscriber.email = email
    subscriber.locale = subscriber.locale or locale


def _kept(context: ChangeContext, subscriber: Subscriber) -> ChangeContext:
    """Return what may be kept of a change: no new data about a person who was erased."""
    erased = subscriber.erased_at is not None
    return replace(context, wording=None, stated_source="") if erased else context


def _outcome(changed: bool) -> Outcome:
    return Outcome.CHANGED if changed else Outcome.UNCHANGED


def _chose(draft: Draft, slug: str, event: Event) -> bool:
    """Return True if the newest such change of a topic was the subscriber's own choice."""
    rows = ledger.newest_first(draft.entries, slug)
    newest = next((row for row in rows if row.event is event), None)
    return newest is not None and newest.source.is_own


def _is_paused(draft: Draft, slug: str, context: ChangeContext) -> bool:
    held = draft.subscriber.subscriptions.get(slug)
    until = held.paused_until if held is not None else None
    return until is not None and until > context.recorded_at
