"""Campaigns, as senders describe them: when a mailing was sent, by which sender, to how many.

The number is what a report divides by if a mailing asked for no claims.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.errors import InvalidCampaignError
from preference_center.links.server import OWN_CAMPAIGNS
from preference_center.store.tables import CampaignRow

MAX_SENDER_LENGTH = 200
MAX_SENT = 2**31 - 1
MAX_LISTED = 1000


@dataclass(frozen=True)
class Campaign:
    """A mailing. `name` is its campaign in links and claims; `sent` is None if it is not known."""

    topic: str
    name: str
    date: date
    sender: str
    sent: int | None


def record(session: Session, campaign: Campaign) -> Campaign:
    """Record a campaign, or replace what is on record of the same topic and name.

    Raises:
        UnknownTopicError: there is no such topic.
        InvalidCampaignError: the name is reserved for our own links.
    """
    topics.get(session, campaign.topic)
    if campaign.name in OWN_CAMPAIGNS:
        raise InvalidCampaignError("this name is reserved for our own links")
    session.merge(CampaignRow(**vars(campaign)))
    session.flush()
    return campaign


def newest(session: Session, topic: str | None = None, until: date | None = None) -> list[Campaign]:
    """Return at most the 1,000 newest campaigns, the newest first; `until` is the last day."""
    key = (CampaignRow.date.desc(), CampaignRow.topic, CampaignRow.name)
    statement = select(CampaignRow).order_by(*key).limit(MAX_LISTED)
    if topic is not None:
        statement = statement.where(CampaignRow.topic == topic)
    if until is not None:
        statement = statement.where(CampaignRow.date <= until)
    return [
        Campaign(row.topic, row.name, row.date, row.sender, row.sent)
        for row in session.scalars(statement)
    ]
