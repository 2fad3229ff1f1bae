"""What is changed for all people of a list, and its undo, as changes for `apply`."""

from dataclasses import dataclass
from datetime import datetime

from preference_center.core import consent, preferences, subscriptions, undo
from preference_center.core.change import ALL, ChangeContext, ChangeResult, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Frequency, Pause, Scope
from preference_center.store.tables import Topic

What = Scope | Frequency | Pause
# What a form offers, by its word: end a topic or everything, send less, pause.
OFFERED: dict[str, What] = {
    each.value: each
    for each in (Scope.TOPIC, Scope.ALL, Frequency.WEEKLY, Frequency.MONTHLY, *Pause)
}


@dataclass(frozen=True)
class Choice:
    """Less email for each person of a list.

    `topic` is None only if everything ends. `until` is when a pause ends, the same for all.
    """

    what: What
    topic: str | None
    until: datetime | None = None

    def would_change(self, subscriber: Subscriber, topic: Topic | None) -> bool:
        """Return True if it changes anything for a subscriber. `topic` is that of the choice."""
        if subscriber.erased_at is not None:
            return False
        if topic is None:
            return not consent.has_ended(subscriber, ALL)
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
class MakeChoice(Change[int]):
    """A choice for one person, for `apply`. The result is the ledger row, or 0 if nothing changed.

    A person for whom it changes nothing is left as they are: they can still undo what they did.
    """

    choice: Choice
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.choice.topic,) if self.choice.topic is not None else ()

    def make(self, draft: Draft) -> int:
        slug = self.choice.topic
        topic = draft.topics[slug] if slug is not None else None
        if not self.choice.would_change(draft.subscriber, topic):
            return 0
        result = self._make(draft)
        return result.first_seq if result.changed else 0

    def _make(self, draft: Draft) -> ChangeResult:
        what, slug, until = self.choice.what, self.choice.topic, self.choice.until
        if slug is None or what is Scope.TOPIC:
            return consent.end_consent(draft, Target.of(slug), self.context)
        if isinstance(what, Frequency):
            return subscriptions.set_frequency(draft, slug, what, self.context)
        if until is None:
            raise ValueError("a pause without an end")
        return subscriptions.pause(draft, slug, until, self.context)


@dataclass(frozen=True)
class UndoChoice(Change[bool]):
    """The undo of one ledger row, for `apply`. The result is False if the person changed since."""

    row: int
    context: ChangeContext

    def first_row(self, subscriber: Subscriber) -> int | None:
        return self.row

    def make(self, draft: Draft) -> bool:
        return undo.undo_row(draft, self.row, self.context)
