"""`/campaigns`: mailings, as their senders describe them. The report divides by their numbers."""

from typing import Annotated

from pydantic import Field, StringConstraints

from preference_center.core import campaigns
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.campaigns import MAX_SENDER_LENGTH, MAX_SENT
from preference_center.web.api import models
from preference_center.web.api.models import WHOLE, Day, Line, Model, Query, Slug
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses

routes = Routes()


class CampaignBody(Model):
    """A mailing. `campaign` is its name in links and claims; `sent` is how many emails it had."""

    topic: Slug
    campaign: models.Campaign
    date: Day
    sender: Annotated[Line, StringConstraints(max_length=MAX_SENDER_LENGTH)] = ""
    sent: Annotated[int, Field(ge=0, le=MAX_SENT), WHOLE] | None = None


class CampaignList(Model):
    """Mailings, the newest first."""

    campaigns: list[CampaignBody]


class CampaignQuery(Query):
    """Which mailings to list."""

    topic: Slug | None = None
    until: Annotated[Day, Field(description="The last day, to list earlier ones.")] | None = None


@routes.add("GET", "/campaigns", ApiScope.REPORTS, Uses.READING)
def list_campaigns(call: Call, query: CampaignQuery) -> CampaignList:
    """List at most 1,000 recorded mailings, the newest first."""
    found = campaigns.newest(call.session, query.topic, query.until)
    return CampaignList(campaigns=[_body(each) for each in found])


@routes.add(
    "POST",
    "/campaigns",
    ApiScope.REPORTS,
    Uses.WRITING,
    problems=(ProblemKind.UNKNOWN_TOPIC, ProblemKind.TEST_KEY),
)
def record_campaign(call: Call, body: CampaignBody) -> CampaignBody:
    """Record a mailing, or replace what is on record of the same topic and campaign.

    The report divides by `sent` if no emails of the mailing were claimed.
    """
    if call.key.kind is ApiKeyKind.TEST:
        raise Problem(ProblemKind.TEST_KEY, "A test key records no mailing.")
    given = campaigns.Campaign(body.topic, body.campaign, body.date, body.sender, body.sent)
    return _body(campaigns.record(call.session, given))


def _body(campaign: campaigns.Campaign) -> CampaignBody:
    return CampaignBody(
        topic=campaign.topic,
        campaign=campaign.name,
        date=campaign.date,
        sender=campaign.sender,
        sent=campaign.sent,
    )
