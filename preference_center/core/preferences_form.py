"""Save a whole form of preferences at once, or refuse it where it is out of date.

What ends or reduces is always done. More of a topic that is received is done and told to the
owner by an email of its own; a topic that is not received takes an emailed confirm link. A form
comes from a link that a sender can mint and that a forwarded email holds: it starts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    joining,
    ledger,
    outbox,
    preferences,
    subscribers,
    subscriptions,
    topics,
)
from preference_center.core.consent import ChangeContext, ChangeResult, end_consent
from preference_center.core.errors import StalePageError
from preference_center.core.preferences import FREQUENCIES
from preference_center.core.vocab import NotSaved
from preference_center.store.tables import Subscriber, Topic

MAX_INCREASES = 3  # forms that asked for more, of one subscriber within a day
INCREASES = ("increased", "resumed")


@dataclass(frozen=True)
class TopicUpdate:
    """What a form says of one topic: what it showed and what is wanted, `off` or a frequency."""

    slug: str
    was: str
    wants: str
    resume: bool = False

    @property
    def changes(self) -> bool:
        """Tell whether it asks for anything but what the form showed."""
        return self.wants != self.was or self.resume


@dataclass(frozen=True)
class SaveResult:
    """The ledger rows of what changed, if any did.

    `mailed` are the topics whose confirm link was emailed, `refused` those for which nothing
    could be done, each with the reason.
    """

    result: ChangeResult
    mailed: list[str]
    refused: dict[str, NotSaved]


def save(
    session: Session,
    subscriber_id: UUID,
    wishes: Sequence[TopicUpdate],
    context: ChangeContext,
    locale: str | None = None,
    *,
    smtp: bool,
) -> SaveResult:
    """Do what the form says, or raise StalePageError and do none of it.

    `locale` is the language that was chosen for pages and emails. `smtp` says whether this
    installation sends email.
    """
    known = {topic.slug: topic for topic in topics.list_topics(session)}
    subscriber = subscribers.lock(session, subscriber_id, context.recorded_at)
    standing = preferences.read(
        subscriber, known.values(), topics.DEFAULT_LOCALE, context.recorded_at
    )
    if not all(is_current(wish, standing) for wish in wishes):
        raise StalePageError("the page shows what is no longer so")
    first, more = (
        subscriber.seq + 1,
        [wish.slug for wish in wishes if _asks_for_more(wish, standing)],
    )
    why_not = _why_not_more(session, subscriber, context, smtp=smtp) if more else None
    tells = bool(more) and why_not is None
    if tells:
        context = replace(context, notice_delay=None)  # one email tells of the whole form
    for wish in wishes:
        if not _starts(wish, standing):
            _do(session, subscriber, known[wish.slug], wish, context, less_only=why_not is not None)
    if tells:
        outbox.notify_at_once(session, subscriber_id, first, subscriber.seq, context.recorded_at)
    if locale is not None and subscriber.erased_at is None:
        subscriber.locale = locale
    asked = {
        wish.slug: joining.ask(session, subscriber, wish.slug, context.recorded_at, smtp=smtp)
        for wish in wishes
        if _starts(wish, standing)
    }
    mailed = [slug for slug, refusal in asked.items() if refusal is None]
    refusals = {**dict.fromkeys(more, why_not), **asked}
    refused = {slug: refusal for slug, refusal in refusals.items() if refusal is not None}
    changed = subscriber.seq >= first
    return SaveResult(ChangeResult(changed, first, subscriber.seq), mailed, refused)


def pause_all(
    session: Session, subscriber_id: UUID, length: str, context: ChangeContext
) -> ChangeResult:
    """Pause every topic that somebody gets."""
    known = topics.list_topics(session)
    subscriber = subscribers.lock(session, subscriber_id, context.recorded_at)
    first, until = subscriber.seq + 1, subscriptions.paused_until(length, context.recorded_at)
    for topic in known:
        subscriptions.pause(session, subscriber, topic, until, context)
    return ChangeResult(subscriber.seq >= first, first, subscriber.seq)


def is_current(wish: TopicUpdate, standing: preferences.SubscriberPreferences) -> bool:
    """Tell whether a topic is as the form showed it and can become what it asks for, or is so.

    The latter is what a second press of the same button finds.
    """
    topic = standing.topics.get(wish.slug)
    if topic is None or topic.state not in (wish.was, wish.wants):
        return False
    return wish.wants == "off" or topic.received or topic.offered


def _starts(wish: TopicUpdate, standing: preferences.SubscriberPreferences) -> bool:
    return wish.wants != "off" and not standing.topics[wish.slug].received


def _asks_for_more(wish: TopicUpdate, standing: preferences.SubscriberPreferences) -> bool:
    """Return True if a wish lifts or loosens a cap or ends a pause of a topic that is received."""
    topic = standing.topics[wish.slug]
    if wish.wants == "off" or not topic.received:
        return False
    resumes = wish.resume and topic.paused_until is not None
    return resumes or FREQUENCIES.index(wish.wants) < FREQUENCIES.index(topic.frequency)


def _why_not_more(
    session: Session, subscriber: Subscriber, context: ChangeContext, *, smtp: bool
) -> NotSaved | None:
    """Return why a form may not ask for more: its owner could not be told, or too often."""
    if not (smtp and preferences.can_be_emailed(subscriber)):
        return NotSaved.NO_EMAIL
    day_ago = context.recorded_at - timedelta(days=1)
    if ledger.count_events(session, subscriber.subscriber_id, INCREASES, day_ago) >= MAX_INCREASES:
        return NotSaved.TOO_OFTEN
    return None


def _do(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    wish: TopicUpdate,
    context: ChangeContext,
    *,
    less_only: bool,
) -> None:
    if wish.wants == "off" and wish.was != "off":
        end_consent(session, subscriber, "topic", context, topic)
    elif wish.wants != "off" and less_only:
        subscriptions.reduce_or_pause(session, subscriber, topic, wish.wants, context)
    elif wish.wants != "off":
        subscriptions.set_frequency(session, subscriber, topic, wish.wants, context)
        if wish.resume:
            subscriptions.resume(session, subscriber, topic, context)
