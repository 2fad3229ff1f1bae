"""Find the mailing that an unsubscribe answers, where the report of a mail system names none.

An unsubscribe by email, a complaint, a bounce and a provider's event name at most the topic. Each
counts for the newest mailing before it whose email to that subscriber was claimed.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.change import ChangeContext
from preference_center.core.draft import Draft
from preference_center.core.vocab import Source
from preference_center.store.tables import Claim

MAX_AGE = timedelta(days=30)
_UNNAMED = {Source.MAILTO, Source.COMPLAINT, Source.BOUNCE, Source.PROVIDER}


def is_unnamed(context: ChangeContext) -> bool:
    """Return True if a change answers an email, and does not say of which campaign."""
    return context.campaign is None and context.source in _UNNAMED


def load(session: Session, drafts: Collection[Draft], now: datetime) -> None:
    """Load the mailings of the last 60 days: a provider may report what is 30 days old."""
    by_id = {draft.subscriber.subscriber_id: draft for draft in drafts}
    if not by_id:
        return
    claims = select(Claim.subscriber_id, Claim.claimed_at, Claim.topic, Claim.campaign).where(
        Claim.subscriber_id.in_(by_id),
        Claim.claimed_at > now - 2 * MAX_AGE,
        Claim.released_at.is_(None),
    )
    for subscriber_id, claimed_at, topic, campaign in session.execute(claims):
        by_id[subscriber_id].mailings.append((claimed_at, topic, campaign))


def named(draft: Draft, context: ChangeContext, topic: str | None) -> ChangeContext:
    """Return the context with the campaign of the newest mailing within 30 days before.

    `topic` is that of the email, or None if it is not known.
    """
    if not is_unnamed(context):
        return context
    at = context.occurred_at
    found = [
        (claimed_at, campaign)
        for claimed_at, slug, campaign in draft.mailings
        if at - MAX_AGE <= claimed_at <= at and topic in (None, slug)
    ]
    return replace(context, campaign=max(found)[1]) if found else context
