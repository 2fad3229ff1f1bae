"""What is changed for all people of a list, as changes for `apply`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from sqlalchemy.orm import Session

from preference_center.core import consent, preferences, subscriptions
from preference_center.core.change import ALL, ChangeContext, ChangeResult, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.errors import ListRefusal, UnknownTopicError
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Frequency, Pause, Scope
from preference_center.store.tables import Topic

What = Scope | Frequency | Pause
# What a form offers, by its word: for one topic, and for all of them.
OFFERED: Mapping[str, What] = {
    each.value: each for each in (Scope.TOPIC, Frequency.WEEKLY, Frequency.MONTHLY, *Pause)
}
OFFERED_FOR_ALL: Mapping[str, What] = {
    Scope.ALL.value: Scope.ALL,
    **{f"{Scope.ALL}-{each}": each for each in Pause},
}
# By the stored word, which is the same for one topic and for all.
WHATS = {each.value: each for each in (*OFFERED.values(), *OFFERED_FOR_ALL.values())}


@dataclass(frozen=True)
class Choice:
    """Less email for each person of a list.

    `topic` is None if everything ends or is paused. `until` is when a pause ends, the same for all.
    """

    what: What
    topic: str | None
    until: datetime | None = None

    def would_change(self, subscriber: Subscriber, known: Mapping[str, Topic]) -> bool:
        """Return True if it changes anything for a subscriber.

        `known` has each topic by its slug. One that was deleted changes for no person.
        """
        if subscriber.erased_at is not None:
            return False
        if self.what is Scope.ALL:
            return not consent.has_ended(subscriber, ALL)
        wanted = known.values() if self.topic is None else filter(None, [known.get(self.topic)])
        return any(self._would_change(subscriber, each) for each in wanted)

    def _would_change(self, subscriber: Subscriber, topic: Topic) -> bool:
        received = preferences.receives(subscriber, topic)
        if self.what is Scope.TOPIC:
            is_held = topic.slug in subscriber.subscriptions
            ended = consent.has_ended(subscriber, Target.of(topic.slug))
            return (is_held or received) and not ended
        if isinstance(self.what, Frequency):
            frequency = subscriptions.frequency_of(subscriber, topic.slug)
            return received and self.what.is_less_than(frequency)
        until = subscriptions.paused_until_of(subscriber, topic.slug)
        return received and (until is None or self.until is None or until < self.until)


@dataclass(frozen=True)
class MakeChoice(Change[tuple[int, int]]):
    """A choice for one person, for `apply`.

    The result is the first and the last ledger row, or twice 0 if nothing changed. A person for
    whom it changes nothing is left as they are: they can still undo what they did.
    """

    choice: Choice
    context: ChangeContext
    needs_all_topics: ClassVar[bool] = True

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.choice.topic,) if self.choice.topic is not None else ()

    def make(self, draft: Draft) -> tuple[int, int]:
        if not self.choice.would_change(draft.subscriber, draft.topics):
            return 0, 0
        result = self._make(draft)
        return (result.first_seq, result.last_seq) if result.changed else (0, 0)

    def _make(self, draft: Draft) -> ChangeResult:
        what, slug, until = self.choice.what, self.choice.topic, self.choice.until
        if isinstance(what, Scope):
            return consent.end_consent(draft, Target.of(slug), self.context)
        if isinstance(what, Frequency) and slug is not None:
            return subscriptions.set_frequency(draft, slug, what, self.context)
        if until is None:
            raise ValueError("a frequency without a topic, or a pause without an end")
        first = draft.subscriber.seq + 1
        for each in draft.topics if slug is None else (slug,):
            subscriptions.pause(draft, each, until, self.context)
        return draft.since(first)


def choose(session: Session, word: str, topic: str | None, now: datetime, zone: tzinfo) -> Choice:
    """Return a choice by the word of a form. A pause ends with a day in `zone`.

    Raises:
        ListRefusal: no form offers this.
        UnknownTopicError: there is no such topic, or it is archived.
    """
    what = OFFERED.get(word) or OFFERED_FOR_ALL.get(word)
    if what is None:
        raise ListRefusal("choose what to change")
    until = subscriptions.paused_until(what, now, zone) if isinstance(what, Pause) else None
    if word in OFFERED_FOR_ALL:
        return Choice(what, None, until)
    known = session.get(Topic, topic) if topic is not None else None
    if known is None:
        raise UnknownTopicError("choose the topic that the change is about")
    if known.archived_at is not None:
        raise UnknownTopicError("this topic is archived: no email of it is sent")
    return Choice(what, known.slug, until)
