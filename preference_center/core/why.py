"""Why a person was emailed: the consent that was on record when a sender was allowed to.

A sender asks before each mailing, and an email that is allowed is recorded as a claim.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from preference_center.core import ledger_pages, topics
from preference_center.core.change import Target
from preference_center.core.ledger_pages import WordedEntry
from preference_center.core.vocab import Event, Scope, Source, Status, TopicPolicy
from preference_center.store.tables import Claim

_MAX_ROWS = 10_000  # of the ledger
Key = tuple[datetime, str, str]  # When an email was allowed, its topic and its campaign.
# A subscription begins with one of these. Others, like a cap, leave it as it was.
_BEGINS = (Event.SUBSCRIBED, Event.RESUBSCRIBED, Event.UNDONE)


@dataclass(frozen=True)
class Consent:
    """The change that began a subscription to `topic`: when and how, and what is stated about it.

    `stated_source` says in other words where it came from, like when a sign-up was asked for.
    """

    topic: str
    at: datetime
    recorded_at: datetime
    source: Source
    wording: str | None
    stated: Mapping[str, Any]
    stated_source: str


@dataclass(frozen=True)
class AllowedEmail:
    """An email that a sender was allowed to send to one person, and why.

    `consent` is None if there was no change that began the subscription: then the topic goes to all
    who have not unsubscribed (`by_default`), or the record does not say. `left_at` is the first
    unsubscribe after the email was allowed. `released_at` is when the sender said that the email
    was not sent.
    """

    topic: str
    campaign: str
    allowed_at: datetime
    released_at: datetime | None
    consent: Consent | None
    by_default: bool
    left_at: datetime | None

    @property
    def key(self) -> Key:
        """Return the place in the order of `explain`."""
        return self.allowed_at, self.topic, self.campaign


def explain(
    session: Session, subscriber_id: UUID, limit: int, after: Key | None = None
) -> list[AllowedEmail]:
    """Return the newest emails that senders were allowed to send, newest first.

    `after` is the key of the email that they follow.
    """
    statement = (
        select(Claim.topic, Claim.campaign, Claim.claimed_at, Claim.released_at)
        .where(Claim.subscriber_id == subscriber_id)
        .order_by(Claim.claimed_at.desc(), Claim.topic, Claim.campaign)
    )
    if after is not None:
        statement = statement.where(_follows(after))
    claims = session.execute(statement.limit(limit)).all()
    if not claims:
        return []
    history = ledger_pages.page(session, subscriber_id, 0, _MAX_ROWS)
    default = {
        each.slug for each in topics.list_topics(session) if each.policy is TopicPolicy.OPT_OUT
    }
    return [
        AllowedEmail(
            topic=topic,
            campaign=campaign,
            allowed_at=at,
            released_at=released_at,
            consent=_consent(history, topic, at),
            by_default=topic in default,
            left_at=_left_at(history, topic, at),
        )
        for topic, campaign, at, released_at in claims
    ]


def consents(session: Session, subscriber_id: UUID, limit: int) -> list[Consent]:
    """Return the newest changes that began a subscription, newest first."""
    begun = ledger_pages.newest(session, subscriber_id, limit, events=_BEGINS)
    found = (_begun(each, each.entry.topic) for each in begun if each.entry.topic is not None)
    return [each for each in found if each is not None]


def _follows(key: Key) -> ColumnElement[bool]:
    at, topic, campaign = key
    return or_(
        Claim.claimed_at < at,
        and_(Claim.claimed_at == at, Claim.topic > topic),
        and_(Claim.claimed_at == at, Claim.topic == topic, Claim.campaign > campaign),
    )


def _consent(history: Sequence[WordedEntry], topic: str, at: datetime) -> Consent | None:
    """Return the newest beginning of a subscription that was recorded before a time."""
    for each in reversed(history):
        begun = _begun(each, topic)
        if begun is not None and begun.recorded_at <= at:
            return begun
    return None


def _begun(each: WordedEntry, topic: str) -> Consent | None:
    """Return the subscription to a topic that a ledger row has begun, or None.

    When staff undo a change of their own, the earlier consent is in force again.
    """
    entry = each.entry
    if entry.event is Event.UNDONE and not entry.source.is_own:
        return None
    after = (entry.after or {}).get(Target.of(topic).key)
    if after is None or after["status"] != Status.SUBSCRIBED or entry.event not in _BEGINS:
        return None
    return Consent(
        topic=topic,
        at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        source=entry.source,
        wording=each.wording,
        stated=after,
        stated_source=entry.stated_source,
    )


def _left_at(history: Iterable[WordedEntry], topic: str, at: datetime) -> datetime | None:
    """Return when the first unsubscribe after a time was recorded, or None."""
    ends = (
        each.entry.recorded_at
        for each in history
        if each.entry.recorded_at > at
        and each.entry.event is Event.UNSUBSCRIBED
        and (each.entry.scope is not Scope.TOPIC or each.entry.topic == topic)
    )
    return next(ends, None)
