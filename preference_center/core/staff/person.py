"""All that a member of staff sees of one subscriber. Each view is in the audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    audience,
    ledger_pages,
    personal_data,
    preferences,
    subscribers,
    topics,
    why,
)
from preference_center.core.audience import Verdict
from preference_center.core.ledger_pages import WordedEntry
from preference_center.core.personal_data import Newest
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.staff import audit, corrections
from preference_center.core.staff.audit import AuditEntry
from preference_center.core.staff.corrections import Correctable
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.state import Subscriber, Subscription
from preference_center.core.vocab import Status
from preference_center.core.why import AllowedEmail, Consent, Key
from preference_center.store.tables import Topic

LOCALE = "en"  # of the console, and of the names of topics in it
_SECTIONS = (
    *("our_emails", "bounces", "reasons", "complaints"),
    *("linked_addresses", "sign_ups", "erasures"),
)


@dataclass(frozen=True)
class PersonTopic:
    """A topic, what is on record of it, and whether its next email may be sent.

    `held` is None where nothing is on record, `verdict` where the topic is archived.
    """

    topic: TopicPreference
    held: Subscription | None
    verdict: Verdict | None

    @property
    def can_start(self) -> bool:
        """Return True if it makes sense to email the subscriber a link that starts it."""
        return not self.topic.archived and not self.topic.received

    @property
    def is_shown(self) -> bool:
        return self.held is not None or self.topic.received or self.topic.offered


@dataclass(frozen=True)
class Person:
    """What is on record of one subscriber: at most `limit` rows of each kind, the newest first.

    `subscriber` is None for one who is not on record, and `is_known` is False if nothing else is,
    either. `transactional` is whether emails that they need may be sent. `audited` is what staff
    read and changed, and empty for a member who may not see it. `correctable` is the change that
    the member may undo.
    """

    id: UUID
    is_known: bool
    subscriber: Subscriber | None
    current: SubscriberPreferences
    topics: Sequence[PersonTopic]
    transactional: Verdict
    consents: Sequence[Consent]
    emails: Sequence[AllowedEmail]
    changes: Sequence[WordedEntry]
    sections: Mapping[str, Newest]
    audited: Sequence[AuditEntry]
    names: Mapping[str, str]
    correctable: Correctable | None


@dataclass(frozen=True)
class Older:
    """Older rows of one kind, and the names of topics."""

    rows: Sequence[WordedEntry] | Sequence[AllowedEmail]
    names: Mapping[str, str]


def find(session: Session, ids: Sequence[UUID], by: UUID, now: datetime) -> list[UUID]:
    """Return those of `ids`, the ids of one address, under which anything is on record.

    That a member has looked for an address which is not on record is audited here.
    """
    found = [each for each in ids if personal_data.is_held(session, each)]
    if not found:
        audit.record(session, by, AuditAction.PERSON_READ, now, ids[0], {"on_record": False})
    return found


def read(
    session: Session, subscriber_id: UUID, limit: int, *, by: UUID, audits: bool, now: datetime
) -> Person:
    """Return a subscriber, and audit the view.

    `audits` says whether the member sees what others did, and may undo it.
    """
    subscriber = subscribers.find(session, subscriber_id)
    known = topics.list_topics(session)
    current = preferences.read(subscriber, known, LOCALE, now)
    sections = personal_data.newest(session, subscriber_id, limit, _SECTIONS)
    person = Person(
        id=subscriber_id,
        is_known=subscriber is not None or any(each.rows for each in sections.values()),
        subscriber=subscriber,
        current=current,
        topics=_topics(session, subscriber, known, current, now),
        transactional=audience.transactional_of(subscriber),
        consents=why.consents(session, subscriber_id, limit),
        emails=why.explain(session, subscriber_id, limit),
        changes=ledger_pages.newest(session, subscriber_id, limit),
        sections=sections,
        audited=audit.read(session, limit, about=subscriber_id) if audits else (),
        names=_names(known),
        correctable=corrections.find(session, subscriber, by, now, of_others=audits)
        if subscriber is not None
        else None,
    )
    audit.record(session, by, AuditAction.PERSON_READ, now, subscriber_id)
    return person


def older_changes(
    session: Session, subscriber_id: UUID, limit: int, before: int, *, by: UUID, now: datetime
) -> Older:
    """Return the ledger from before row `before`, newest first, and audit the view."""
    rows = ledger_pages.newest(session, subscriber_id, limit, before)
    audit.record(session, by, AuditAction.PERSON_READ, now, subscriber_id)
    return Older(rows, _names(topics.list_topics(session)))


def older_emails(
    session: Session, subscriber_id: UUID, limit: int, after: Key, *, by: UUID, now: datetime
) -> Older:
    """Return the emails that follow one in the order of `why.explain`, and audit the view."""
    rows = why.explain(session, subscriber_id, limit, after)
    audit.record(session, by, AuditAction.PERSON_READ, now, subscriber_id)
    return Older(rows, _names(topics.list_topics(session)))


def look_at(
    session: Session, subscriber_id: UUID, action: AuditAction, *, by: UUID, now: datetime
) -> Subscriber | None:
    """Return a subscriber, or None, and audit why: a copy, a page about them."""
    audit.record(session, by, action, now, subscriber_id)
    return subscribers.find(session, subscriber_id)


def _topics(
    session: Session,
    subscriber: Subscriber | None,
    known: Sequence[Topic],
    current: SubscriberPreferences,
    now: datetime,
) -> list[PersonTopic]:
    """Return the topics that matter: first those received, then those that have ended."""
    verdicts = audience.of_person(session, subscriber, known, now)
    held = subscriber.subscriptions if subscriber is not None else {}
    found = [
        PersonTopic(topic, held.get(slug), verdicts.get(slug))
        for slug, topic in current.topics.items()
    ]
    return sorted((each for each in found if each.is_shown), key=_order)


def _order(each: PersonTopic) -> tuple[bool, bool, str]:
    subscribed = each.held is not None and each.held.status is Status.SUBSCRIBED
    return not (each.topic.received or subscribed), each.held is None, each.topic.name


def _names(known: Sequence[Topic]) -> dict[str, str]:
    return {each.slug: topics.name(each, LOCALE) for each in known}
