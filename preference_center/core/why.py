"""Why a person was emailed: the consent that was on record when a sender was allowed to.

A sender asks before each mailing, and an email that is allowed is recorded as a claim.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import ledger_pages, topics
from preference_center.core.change import Target
from preference_center.core.ledger_pages import WordedEntry
from preference_center.core.vocab import Event, Scope, Source, Status, TopicPolicy
from preference_center.store.tables import Claim

_MAX_ROWS = 10_000  # of the ledger
# A subscription begins with one of these. Others, like a cap, leave it as it was.
_BEGINS = (Event.SUBSCRIBED, Event.RESUBSCRIBED, Event.UNDONE)


@dataclass(frozen=True)
class Consent:
    """The change that began a subscription: when and how, and what is stated about it."""

    at: datetime
    source: Source
    wording: str | None
    stated: Mapping[str, Any]


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


def explain(session: Session, subscriber_id: UUID, limit: int) -> list[AllowedEmail]:
    """Return the newest emails that senders were allowed to send, newest first."""
    statement = (
        select(Claim.topic, Claim.campaign, Claim.claimed_at, Claim.released_at)
        .where(Claim.subscriber_id == subscriber_id)
        .order_by(Claim.claimed_at.desc(), Claim.topic, Claim.campaign)
    )
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


def _consent(history: Sequence[WordedEntry], topic: str, at: datetime) -> Consent | None:
    """Return the newest beginning of a subscription that was recorded before a time."""
    key = Target.of(topic).key
    for each in reversed(history):
        entry, after = each.entry, (each.entry.after or {}).get(key)
        if after is None or after["status"] != Status.SUBSCRIBED:
            continue
        if entry.event in _BEGINS and entry.recorded_at <= at:
            return Consent(entry.occurred_at, entry.source, each.wording, after)
    return None


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
