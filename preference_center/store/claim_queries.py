"""Statements about claims: which emails are claimed, and how many a subscriber was sent.

Released claims count nowhere. Each statement looks up the claims of a subscriber by an index.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import Session

from preference_center.store.queries import among
from preference_center.store.tables import Claim, SubscriberRow

_IS_HELD: tuple[ColumnElement[bool], ...] = (
    Claim.subscriber_id == SubscriberRow.subscriber_id,
    Claim.released_at.is_(None),
)


class Claimed(NamedTuple):
    """Whether an email is claimed, and how many of all topics were claimed since a time."""

    is_claimed: bool
    received: int


def claimed(
    session: Session, topic: str, campaign: str, ids: Sequence[UUID], since: datetime
) -> dict[UUID, Claimed]:
    """Return what is claimed for each of `ids` that is on record."""
    if not ids:
        return {}
    email = select(Claim.campaign).where(
        *_IS_HELD, Claim.topic == topic, Claim.campaign == campaign
    )
    found = _of(session, ids, email.exists(), _number(since))
    return {row[0]: Claimed(*row[1:]) for row in found}


def received(session: Session, ids: Collection[UUID], since: datetime) -> dict[UUID, int]:
    """Return how many emails were claimed since a time for each of `ids` that is on record."""
    return {row[0]: row[1] for row in _of(session, list(ids), _number(since))}


def _number(since: datetime) -> ScalarSelect[int]:
    return select(func.count()).where(*_IS_HELD, Claim.claimed_at > since).scalar_subquery()


def _of(session: Session, ids: Sequence[UUID], *columns: ColumnElement[Any]) -> Sequence[Any]:
    key = SubscriberRow.subscriber_id
    return session.execute(select(key, *columns).where(among(session, key, ids))).all()
