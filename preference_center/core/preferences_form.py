"""Save a whole preferences form in one change, or refuse it if it is out of date.

Changes that end or reduce a topic are always made. More of a topic that is received is granted,
and a separate email tells the subscriber; a topic that is not received needs an emailed confirm
link. The form's link can be minted by a sender and is contained in forwarded emails, so it
cannot start a topic. The form of a signed-in link can: see `joining.starts_at_once`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from preference_center.core import joining, ledger, preferences, subscriptions, topics
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.consent import end_consent
from preference_center.core.draft import Change, Draft
from preference_center.core.errors import StalePageError
from preference_center.core.outbox import Notice
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Event, Frequency, NotSaved, Pause

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

    `locale` is the language to store for pages and emails, or None. `smtp` says whether this
    installation sends email. `pause` is for how long to pause every topic that is received once
    the rest is saved, or None. `wordings` is None unless the form's link is a signed-in one. It has
    the text that the form showed about each topic that it may start at once.
    """

    updates: Sequence[TopicUpdate]
    context: ChangeContext
    locale: str | None
    smtp: bool
    pause: Pause | None = None
    wordings: Mapping[str, str] | None = None
    needs_all_topics: ClassVar[bool] = True

    def first_row(self, subscriber: Subscriber) -> int | None:
        """Rows are read to count earlier forms, and to see if an unsubscribe is a repeat."""
        return ledger.first_row_looked_back(subscriber.seq)

    def make(self, draft: Draft) -> SaveResult:
        at, known = self.context.recorded_at, draft.topics.values()
        current = preferences.read(draft.subscriber, known, topics.DEFAULT_LOCALE, at)
        if not all(is_current(update, current) for update in self.updates):
            raise StalePageError("the page no longer shows the current preferences")
        return _Save(draft, current, self).run()


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
    """One form that is being saved."""

    draft: Draft
    current: SubscriberPreferences
    form: SaveForm

    def run(self) -> SaveResult:
        draft, context, updates = self.draft, self.form.context, self.form.updates
        draft.language = context.chosen_language
        first = draft.subscriber.seq + 1
        more = [each.slug for each in updates if self._asks_for_more(each)]
        refusal = self._why_not_more() if more else None
        starts = [each.slug for each in updates if self._starts(each)]
        at_once = [slug for slug in starts if self._starts_at_once(slug)]
        announces = bool((more and refusal is None) or at_once)
        if announces:
            context = replace(context, notice_delay=None)  # One email covers the whole form.
        for update in updates:
            if not self._starts(update):
                self._make(update, context, less_only=refusal is not None)
        for slug in at_once:
            self._start(slug, context)
        if self.form.pause is not None:
            self._pause_everything(self.form.pause, context)
        if announces and self._can_tell():
            now = context.recorded_at
            draft.announcements.append(Notice(first, draft.subscriber.seq, now, now, now))
        if self.form.locale is not None and draft.subscriber.erased_at is None:
            draft.subscriber.locale = self.form.locale
        later = [slug for slug in starts if slug not in at_once]
        asked = {slug: joining.ask(draft, slug, smtp=self.form.smtp) for slug in later}
        refused = {**dict.fromkeys(more, refusal), **asked}
        return SaveResult(
            draft.since(first),
            [slug for slug, why in asked.items() if why is None],
            {slug: why for slug, why in refused.items() if why is not None},
        )

    def _pause_everything(self, length: Pause, context: ChangeContext) -> None:
        until = subscriptions.paused_until(length, context.recorded_at, context.time_zone)
        for slug in self.draft.topics:
            subscriptions.pause(self.draft, slug, until, context)

    def _start(self, slug: str, context: ChangeContext) -> None:
        wording = (self.form.wordings or {})[slug]
        joining.join(
            self.draft,
            slug,
            replace(context, wording=wording),
            asked_at=context.recorded_at,
            consent_source=joining.SIGNED_IN_LINK,
        )

    def _starts_at_once(self, slug: str) -> bool:
        now, topic = self.form.context.recorded_at, self.draft.topics[slug]
        shown = slug in (self.form.wordings or ())
        return shown and joining.starts_at_once(self.draft.subscriber, topic, now)

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
        if self.form.wordings is not None:
            return None
        if not self._can_tell():
            return NotSaved.NO_EMAIL
        since = self.form.context.recorded_at - timedelta(days=1)
        asked = ledger.count_events(self.draft.entries, INCREASES, since)
        return NotSaved.TOO_OFTEN if asked >= MAX_INCREASES else None

    def _can_tell(self) -> bool:
        """Return True if an email can tell the subscriber what has changed."""
        return self.form.smtp and preferences.can_be_emailed(self.draft.subscriber)

    def _make(self, update: TopicUpdate, context: ChangeContext, *, less_only: bool) -> None:
        draft, slug = self.draft, update.slug
        if update.wants is None:
            if update.was is not None:
                end_consent(draft, Target.of(slug), context)
        elif less_only:
            subscriptions.reduce_or_pause(draft, slug, update.wants, context)
        else:
            subscriptions.set_frequency(draft, slug, update.wants, context)
            if update.resume:
                subscriptions.resume(draft, slug, context)
