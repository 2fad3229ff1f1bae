"""What an invented subscriber gets, to show pages and emails before anyone receives them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import preferences, topics, undo
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.receipts import ChangeKind, ShownChange, ShownReceipt
from preference_center.core.state import Subscriber, Subscription
from preference_center.core.topics import Topic
from preference_center.core.vocab import (
    Cadence,
    Frequency,
    ReceiptState,
    Source,
    Status,
    TopicPolicy,
    TopicVisibility,
)
from preference_center.store.tables import TopicText

EMAIL = "ada@example.org"
SLUG = "weekly-news"
_SINCE = timedelta(days=400)  # so that a page says since which year


@dataclass(frozen=True)
class Sample:
    """The preferences of an invented subscriber, and the receipt of leaving the first topic."""

    current: SubscriberPreferences
    topic: TopicPreference
    receipt: ShownReceipt


def read(session: Session, locale: str, now: datetime, zone: tzinfo) -> Sample:
    """Return a subscriber who gets every topic that pages offer, or an invented topic."""
    public = [each for each in topics.list_topics(session) if _is_offered(each)]
    known: Sequence[Topic] = public or [_invented(now)]
    first = known[0].slug
    current = preferences.read(_subscriber(known, (), now), known, locale, now)
    after = preferences.read(_subscriber(known, (first,), now), known, locale, now)
    left = ShownChange(ChangeKind.LEFT, after.topics[first], now)
    receipt = ShownReceipt(
        changes=[left],
        state=ReceiptState.ACTIVE,
        undo_until=undo.undo_until(now, zone),
        notice_pending=True,
        preferences=after,
        reason_for=1,
    )
    return Sample(current, current.topics[first], receipt)


def _is_offered(topic: Topic) -> bool:
    return topic.visibility is TopicVisibility.PUBLIC and topic.archived_at is None


def _subscriber(known: Iterable[Topic], left: Iterable[str], now: datetime) -> Subscriber:
    made = Subscriber.new(UUID(int=0), now)
    made.email = EMAIL
    for each in known:
        status = Status.UNSUBSCRIBED if each.slug in left else Status.SUBSCRIBED
        made.subscriptions[each.slug] = _subscription(each.slug, status, now)
    return made


def _subscription(slug: str, status: Status, now: datetime) -> Subscription:
    since = now - _SINCE
    changed_at = now if status is Status.UNSUBSCRIBED else since
    return Subscription(
        slug,
        status,
        Frequency.EVERY,
        paused_until=None,
        changed_at=changed_at,
        source=Source.PAGE,
        basis="",
        acquired_from="",
        consent_at=since,
        consent_source="",
        consent_wording=None,
        updated_at=changed_at,
    )


def _invented(now: datetime) -> Topic:
    name = topics.name_from_slug(SLUG)
    text = TopicText(topic=SLUG, locale=topics.DEFAULT_LOCALE, name=name, description="")
    return Topic(
        slug=SLUG,
        policy=TopicPolicy.OPT_IN,
        cadence=Cadence.IRREGULAR,
        visibility=TopicVisibility.PUBLIC,
        change_notices=True,
        created_at=now,
        archived_at=None,
        texts={topics.DEFAULT_LOCALE: text},
    )
