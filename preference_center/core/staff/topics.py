"""Topics as members of staff see and change them. The audit trail records each change."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import report_counts, topic_changes, topics
from preference_center.core.api_vocab import ReportBy
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.topic_changes import Audience, TopicChange
from preference_center.core.topics import NewTopic, Topic
from preference_center.store.report_queries import ReportFilter


@dataclass(frozen=True)
class ListedTopic:
    """A topic, and how many subscribers on record receive it, as the report counts them."""

    topic: Topic
    subscribers: int


class TopicWords(NamedTuple):
    """A topic's name and description in a language."""

    name: str
    description: str


@dataclass(frozen=True)
class Review:
    """What a change would do. `before` and `after` count the subscribers whom it concerns."""

    topic: Topic
    change: TopicChange
    before: Audience
    after: Audience

    @property
    def members(self) -> dict[str, Any]:
        """Return what would change, by name."""
        return changed_members(self.change)


def list_all(session: Session) -> list[ListedTopic]:
    """Return all topics in their order, with the daily counts summed."""
    counts = report_counts.subscribers_at_end(session, ReportBy.TOPIC, ReportFilter(), ())
    return [
        ListedTopic(each, counts.get(("", each.slug, ""), 0))
        for each in topics.list_topics(session)
    ]


def review(session: Session, slug: str, change: TopicChange) -> Review:
    """Return what a change would do. Scans the subscriptions of the topic."""
    topic = topics.get(session, slug)
    change = change.differing_from(topic)
    before = topic_changes.audience(session, topic)
    return Review(topic, change, before, topic_changes.audience(session, topic, change))


def change(session: Session, slug: str, change: TopicChange, *, by: UUID, now: datetime) -> None:
    """Change a topic. What it is already is not recorded."""
    topic = topics.get(session, slug)
    members = changed_members(change.differing_from(topic))
    change.apply(topic, now)
    if members:
        _record(session, AuditAction.TOPIC_CHANGED, slug, by, now, members)


def add(session: Session, new: NewTopic, *, by: UUID, now: datetime) -> None:
    """Add a topic; raise TopicExistsError or InvalidTopicError."""
    topics.add(session, new, now)
    _record(session, AuditAction.TOPIC_ADDED, new.slug, by, now)


def describe(
    session: Session, slug: str, texts: Mapping[str, TopicWords], *, by: UUID, now: datetime
) -> None:
    """Set a topic's name and description in some languages; raise InvalidTopicError.

    What is so already is not recorded, nor is a language without words that had none before.
    """
    topic = topics.get(session, slug)
    known = {
        locale: TopicWords(text.name, text.description) for locale, text in topic.texts.items()
    }
    for locale, words in texts.items():
        if words != known.get(locale, TopicWords("", "")):
            topics.describe(topic, locale, words.name, words.description)
            _record(session, AuditAction.TOPIC_DESCRIBED, slug, by, now, {"language": locale})


def move(session: Session, slug: str, steps: int, *, by: UUID, now: datetime) -> None:
    """Move a topic among those that are not archived; up is negative."""
    topics.move(session, slug, steps)
    _record(session, AuditAction.TOPIC_MOVED, slug, by, now, {"steps": steps})


def delete(session: Session, slug: str, *, by: UUID, now: datetime) -> None:
    """Delete a topic, or raise TopicInUseError."""
    topic_changes.delete(session, topics.get(session, slug))
    _record(session, AuditAction.TOPIC_DELETED, slug, by, now)


def changed_members(change: TopicChange) -> dict[str, Any]:
    """Return what a change sets, by name."""
    values = {each.name: getattr(change, each.name) for each in fields(change)}
    return {name: value for name, value in values.items() if value is not None}


def _record(
    session: Session,
    action: AuditAction,
    slug: str,
    by: UUID,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    audit.record(session, by, action, now, details={"topic": slug, **(details or {})})
