"""Save a whole preferences form at once, or refuse it if it is out of date.

Changes that end or reduce a topic are always made. More of a topic that is received is granted,
and a separate email tells the subscriber; a topic that is not received needs an emailed confirm
link. The form's link can be minted by a sender and is contained in forwarded emails, so it
cannot start a topic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.orm import Session

from preference_center.core import (
    joining,
    ledger,
    outbox,
    preferences,
    subscriptions,
    topics,
)
from preference_center.core.change import Change, ChangeContext, ChangeResult, Target
from preference_center.core.consent import end_consent
from preference_center.core.errors import StalePageError
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.vocab import Event, Frequency, NotSaved, Pause
from preference_center.store.tables import Subscriber, Topic

MAX_INCREASES = 3  # Forms that ask for more, per subscriber and day.
INCREASES = (Event.INCREASED, Event.RESUMED)


@dataclass(frozen=True)
class TopicUpdate:
    """What a form says about one topic: the frequency that it showed, and the one that is wanted.

    None means that the topic is not received. `resume` asks to end a pause.
    """

    slug: str
    was: Frequency | None
    wants: Frequency | None
    resume: bool = False

    @property
    def changes(self) -> bool:
        """Return True if it asks for anything but what the form showed."""
        return self.wants is not self.was or self.resume


@dataclass(frozen=True)
class SaveResult:
    """The ledger rows of what changed, if any did.

    `requested` are the topics whose confirm link was emailed, `refused` those that could not be
    changed, each with the reason.
    """

    result: ChangeResult
    requested: list[str]
    refused: dict[str, NotSaved]


@dataclass(frozen=True)
class SaveForm(Change[SaveResult]):
    """A preferences form, for `apply`, which raises StalePageError if the form is out of date.

    `locale` is the language chosen for pages and emails, or None. `smtp` says whether this
    installation sends email.
    """

    updates: Sequence[TopicUpdate]
    context: ChangeContext
    locale: str | None
    smtp: bool

    def make(self, session: Session, subscriber: Subscriber) -> SaveResult:
        known = {topic.slug: topic for topic in topics.list_topics(session)}
        at = self.context.recorded_at
        current = preferences.read(subscriber, known.values(), topics.DEFAULT_LOCALE, at)
        if not all(is_current(update, current) for update in self.updates):
            raise StalePageError("the page no longer shows the current preferences")
        return _Save(session, subscriber, known, current, self).run()


@dataclass(frozen=True)
class PauseAll(Change[ChangeResult]):
    """A pause of every topic that the subscriber receives, for `apply`."""

    length: Pause
    context: ChangeContext

    def make(self, session: Session, subscriber: Subscriber) -> ChangeResult:
        first = subscriber.seq + 1
        until = subscriptions.paused_until(self.length, self.context.recorded_at)
        for topic in topics.list_topics(session):
            subscriptions.pause(session, subscriber, topic, until, self.context)
        return ChangeResult(subscriber.seq >= first, first, subscriber.seq)


def is_current(update: TopicUpdate, current: SubscriberPreferences) -> bool:
    """Return True if a topic is as the form showed it and can be changed as it asks.

    A topic that already is as the form asks is current too: that is a second press.
    """
    topic = current.topics.get(update.slug)
    if topic is None or topic.state not in (update.was, update.wants):
        return False
    return update.wants is None or topic.received or topic.offered


@dataclass(frozen=True)
class _Save:
    """One form that is being saved to a locked subscriber."""

    session: Session
    subscriber: Subscriber
    known: Mapping[str, Topic]
    current: SubscriberPreferences
    form: SaveForm

    def run(self) -> SaveResult:
        first, context = self.subscriber.seq + 1, self.form.context
        more = [each.slug for each in self.form.updates if self._asks_for_more(each)]
        refusal = self._why_not_more() if more else None
        announces = bool(more) and refusal is None
        if announces:
            context = replace(context, notice_delay=None)  # One email covers the whole form.
        for update in self.form.updates:
            if not self._starts(update):
                self._make(update, context, less_only=refusal is not None)
        if announces:
            last, now = self.subscriber.seq, context.recorded_at
            outbox.notify_now(self.session, self.subscriber.subscriber_id, first, last, now)
        if self.form.locale is not None and self.subscriber.erased_at is None:
            self.subscriber.locale = self.form.locale
        asked = self._request_topics()
        requested = [slug for slug, why in asked.items() if why is None]
        refused = {**dict.fromkeys(more, refusal), **asked}
        return SaveResult(
            ChangeResult(self.subscriber.seq >= first, first, self.subscriber.seq),
            requested,
            {slug: why for slug, why in refused.items() if why is not None},
        )

    def _request_topics(self) -> dict[str, NotSaved | None]:
        """Request a confirm link for each topic to start; return why it was refused, or None."""
        now, smtp = self.form.context.recorded_at, self.form.smtp
        slugs = [update.slug for update in self.form.updates if self._starts(update)]
        return {
            slug: joining.ask(self.session, self.subscriber, slug, now, smtp=smtp) for slug in slugs
        }

    def _starts(self, update: TopicUpdate) -> bool:
        return update.wants is not None and not self.current.topics[update.slug].received

    def _asks_for_more(self, update: TopicUpdate) -> bool:
        """Return True if the cap of a topic that is received is loosened, or its pause ended."""
        topic = self.current.topics[update.slug]
        if update.wants is None or not topic.received:
            return False
        resumes = update.resume and topic.paused_until is not None
        return resumes or topic.frequency.is_less_than(update.wants)

    def _why_not_more(self) -> NotSaved | None:
        """Return why the form may not ask for more, or None."""
        if not (self.form.smtp and preferences.can_be_emailed(self.subscriber)):
            return NotSaved.NO_EMAIL
        since = self.form.context.recorded_at - timedelta(days=1)
        subscriber_id = self.subscriber.subscriber_id
        asked = ledger.count_events(self.session, subscriber_id, INCREASES, since)
        return NotSaved.TOO_OFTEN if asked >= MAX_INCREASES else None

    def _make(self, update: TopicUpdate, context: ChangeContext, *, less_only: bool) -> None:
        session, subscriber, topic = self.session, self.subscriber, self.known[update.slug]
        if update.wants is None:
            if update.was is not None:
                end_consent(session, subscriber, Target.of(topic.slug), context)
        elif less_only:
            subscriptions.reduce_or_pause(session, subscriber, topic, update.wants, context)
        else:
            subscriptions.set_frequency(session, subscriber, topic, update.wants, context)
            if update.resume:
                subscriptions.resume(session, subscriber, topic, context)
