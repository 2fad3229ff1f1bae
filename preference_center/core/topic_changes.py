"""Change, archive and delete topics, and say first whom a change affects."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.errors import TopicInUseError
from preference_center.core.vocab import Cadence, Status, TopicPolicy, TopicVisibility
from preference_center.store.tables import (
    Claim,
    SubscriberRow,
    SubscriptionRow,
    SuppressionRow,
    Topic,
    TopicText,
)


@dataclass(frozen=True)
class TopicChange:
    """What to change of a topic; None keeps what there is.

    Unsubscribes, caps and pauses are kept whatever changes. An archived topic is neither offered
    nor emailed, and its links stay valid.
    """

    policy: TopicPolicy | None = None
    cadence: Cadence | None = None
    visibility: TopicVisibility | None = None
    change_notices: bool | None = None
    archived: bool | None = None

    def differing_from(self, topic: Topic) -> "TopicChange":
        """Return the change without what the topic is already."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)}
        return TopicChange(
            **{name: value for name, value in asked.items() if value != _value(topic, name)}
        )

    def apply(self, topic: Topic, now: datetime) -> None:
        """Change the topic."""
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and each.name != "archived":
                setattr(topic, each.name, value)
        if self.archived:
            topics.archive(topic, now)
        elif self.archived is not None:
            topic.archived_at = None


@dataclass(frozen=True)
class Audience:
    """How many subscribers a topic concerns.

    `silent` subscribers have made no choice about it and are not suppressed: they receive it if
    its policy is `opt_out`. `receiving` then counts them too. It is 0 if the topic is archived.
    """

    subscribed: int
    unsubscribed: int
    unconfirmed: int
    silent: int
    receiving: int


def _value(topic: Topic, name: str) -> Any:
    """Return what a topic has of a member of TopicChange."""
    return topic.archived_at is not None if name == "archived" else getattr(topic, name)


def audience(session: Session, topic: Topic, change: TopicChange | None = None) -> Audience:
    """Return whom a topic concerns, now or after a change. Scans the topic's subscriptions."""
    counts = dict.fromkeys(Status, 0) | _by_status(session, topic.slug)
    policy = (change and change.policy) or topic.policy
    archived = topic.archived_at is not None
    if change is not None and change.archived is not None:
        archived = change.archived
    silent = _silent(session, topic.slug)
    reached = counts[Status.SUBSCRIBED] + (silent if policy is TopicPolicy.OPT_OUT else 0)
    return Audience(
        subscribed=counts[Status.SUBSCRIBED],
        unsubscribed=counts[Status.UNSUBSCRIBED],
        unconfirmed=counts[Status.UNCONFIRMED],
        silent=silent,
        receiving=0 if archived else reached,
    )


def delete(session: Session, topic: Topic) -> None:
    """Delete a topic, or raise TopicInUseError if subscribers or emails refer to it.

    Its links stay valid: an unsubscribe through one creates the topic again, hidden.
    """
    for table in (SubscriptionRow, Claim):
        if session.scalar(select(exists().where(table.topic == topic.slug))):
            raise TopicInUseError(f"topic {topic.slug} has subscribers or emails: archive it")
    session.execute(sql_delete(TopicText).where(TopicText.topic == topic.slug))
    session.execute(sql_delete(Topic).where(Topic.slug == topic.slug))


def _by_status(session: Session, slug: str) -> dict[Status, int]:
    """Count the subscriptions of subscribers who are not suppressed, by status."""
    stopped = exists().where(SuppressionRow.subscriber_id == SubscriptionRow.subscriber_id)
    counted = (
        select(SubscriptionRow.status, func.count())
        .where(SubscriptionRow.topic == slug, ~stopped)
        .group_by(SubscriptionRow.status)
    )
    return {row[0]: row[1] for row in session.execute(counted)}


def _silent(session: Session, slug: str) -> int:
    """Count those who are not suppressed and have made no choice about a topic.

    Those for whom silence means no are not counted: what they get does not depend on the policy.
    """
    owner = SubscriberRow.subscriber_id
    chosen = exists().where(SubscriptionRow.subscriber_id == owner, SubscriptionRow.topic == slug)
    stopped = exists().where(SuppressionRow.subscriber_id == owner)
    counted = select(func.count()).select_from(SubscriberRow)
    found = session.scalar(
        counted.where(
            SubscriberRow.erased_at.is_(None),
            SubscriberRow.explicit_from.is_(None),
            ~chosen,
            ~stopped,
        )
    )
    return found or 0
