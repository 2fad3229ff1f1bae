"""What a whole form of preferences asks for, done at once, or refused where it is out of date."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import choices, outbox, preferences, subscribers, topics
from preference_center.core.consent import Act, Outcome, end_consent
from preference_center.core.errors import StalePageError
from preference_center.store.tables import Subscriber, Topic


@dataclass(frozen=True)
class Wish:
    """What a form says of one topic: what it showed and what is wanted, `off` or a frequency.

    `wording` is what the person read beside a topic that they join.
    """

    slug: str
    was: str
    wants: str
    resume: bool = False
    wording: str | None = None

    @property
    def changes(self) -> bool:
        """Tell whether it asks for anything but what the form showed."""
        return self.wants != self.was or self.resume


@dataclass(frozen=True)
class Saved:
    """The ledger rows of what changed, if any did, and the topics whose joining was mailed."""

    outcome: Outcome
    mailed: list[str]


def save(
    session: Session,
    subscriber_id: UUID,
    wishes: Sequence[Wish],
    act: Act,
    locale: str | None = None,
) -> Saved:
    """Do all that the form says, or raise StalePageError and do none of it.

    `locale` is the language that somebody chose for their pages and mails.
    """
    known = {topic.slug: topic for topic in topics.everything(session)}
    subscriber = subscribers.lock(session, subscriber_id, act.now)
    standing = preferences.standing(subscriber, known.values(), topics.DEFAULT_LOCALE, act.now)
    if not all(fits(wish, standing) for wish in wishes):
        raise StalePageError("the page shows what is no longer so")
    first, mailed = subscriber.seq + 1, []
    for wish in _less_first(wishes):
        if _is_mailed(wish, standing):
            outbox.request(session, subscriber_id, "confirm", act.now, wish.slug)
            mailed.append(wish.slug)
        else:
            _do(session, subscriber, known[wish.slug], wish, replace(act, wording=wish.wording))
    if locale is not None and subscriber.erased_at is None:
        subscriber.locale = locale
    changed = subscriber.seq >= first
    return Saved(Outcome(changed, first, subscriber.seq), mailed)


def pause_all(session: Session, subscriber_id: UUID, length: str, act: Act) -> Outcome:
    """Pause every topic that somebody gets."""
    known = topics.everything(session)
    subscriber = subscribers.lock(session, subscriber_id, act.now)
    first, until = subscriber.seq + 1, choices.paused_until(length, act.now)
    for topic in known:
        choices.pause(session, subscriber, topic, until, act)
    return Outcome(subscriber.seq >= first, first, subscriber.seq)


def fits(wish: Wish, standing: preferences.Standing) -> bool:
    """Tell whether a topic is as the form showed it and can become what it asks for, or is so.

    The latter is what a second press of the same button finds.
    """
    topic = standing.topics.get(wish.slug)
    if topic is None or topic.state not in (wish.was, wish.wants):
        return False
    return wish.wants == "off" or topic.received or standing.can_join(topic)


def _less_first(wishes: Iterable[Wish]) -> list[Wish]:
    """Put what joins a topic last: it may lift a stop of everything."""
    return sorted(wishes, key=lambda wish: wish.was == "off")


def _is_mailed(wish: Wish, standing: preferences.Standing) -> bool:
    topic = standing.topics[wish.slug]
    return wish.wants != "off" and not topic.received and standing.takes_mail(topic)


def _do(session: Session, subscriber: Subscriber, topic: Topic, wish: Wish, act: Act) -> None:
    if wish.wants == "off" and wish.was != "off":
        end_consent(session, subscriber, "topic", act, topic)
    elif wish.was == "off" and wish.wants != "off":
        choices.join(session, subscriber, topic, act)
    elif wish.wants != "off":
        choices.set_frequency(session, subscriber, topic, wish.wants, act)
        if wish.resume:
            choices.resume(session, subscriber, topic, act)
