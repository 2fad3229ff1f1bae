"""The people whom the filters of a list select."""

from datetime import tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.vocab import TopicPolicy
from preference_center.store import list_queries
from preference_center.store.list_queries import ListFilter


def selection(session: Session, wanted: ListFilter, zone: tzinfo) -> Select[Any]:
    """Return the statement for the ids of people, in their order. Days are those of `zone`."""
    opt_out = [
        each.slug
        for each in topics.list_topics(session)
        if each.policy is TopicPolicy.OPT_OUT and each.archived_at is None
    ]
    return list_queries.people(wanted, opt_out, zone)


def find(session: Session, wanted: ListFilter, zone: tzinfo, limit: int) -> list[UUID]:
    """Return the ids of people, in their order, at most `limit`."""
    return list(session.scalars(selection(session, wanted, zone).limit(limit)))
