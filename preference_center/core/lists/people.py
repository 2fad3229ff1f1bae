"""The people whom the filters of a list select."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.errors import ListRefusal
from preference_center.core.vocab import TopicPolicy
from preference_center.store import list_queries, report_queries
from preference_center.store.list_queries import ListFilter
from preference_center.store.report_queries import ReportFilter

MAX_CAMPAIGNS = 200  # that a form offers
_OFFERED_FOR = timedelta(days=365)


def selection(session: Session, wanted: ListFilter, zone: tzinfo) -> Select[Any]:
    """Return the statement for the ids of people, in their order. Days are those of `zone`.

    Raises:
        ListRefusal: no email of the campaign was ever claimed for its topic.
    """
    _refuse_unknown_campaign(session, wanted)
    opt_out = [
        each.slug
        for each in topics.list_topics(session)
        if each.policy is TopicPolicy.OPT_OUT and each.archived_at is None
    ]
    return list_queries.people(wanted, opt_out, zone)


def find(session: Session, wanted: ListFilter, zone: tzinfo, limit: int) -> list[UUID]:
    """Return the ids of people, in their order, at most `limit`."""
    return list(session.scalars(selection(session, wanted, zone).limit(limit)))


def campaigns(session: Session, now: datetime) -> Sequence[Any]:
    """Return the campaigns of which emails were claimed within a year, at most MAX_CAMPAIGNS.

    The newest is the first. Each has a `topic`, a `campaign`, and the `first_day` (UTC).
    """
    since = ReportFilter(since=now - _OFFERED_FOR)
    found = session.execute(report_queries.emailed(since, by_month=False))
    return sorted(found, key=attrgetter("first_day"), reverse=True)[:MAX_CAMPAIGNS]


def _refuse_unknown_campaign(session: Session, wanted: ListFilter) -> None:
    if wanted.campaign is None:
        return
    claimed = ReportFilter(wanted.topic, wanted.campaign)
    if session.execute(report_queries.emailed(claimed, by_month=False)).first() is None:
        topic = topics.names(session).get(wanted.topic or "", wanted.topic)
        raise ListRefusal(f"no email of a campaign “{wanted.campaign}” was claimed for {topic}")
