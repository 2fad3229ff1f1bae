"""A subscriber as the API describes them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from preference_center.core import preferences, topics, unacknowledged
from preference_center.core import subscribers as people
from preference_center.core.state import Subscriber, Subscription
from preference_center.core.vocab import Frequency, Scope, Source, Status
from preference_center.store import Session
from preference_center.web.api.models import Model
from preference_center.web.api.problems import Problem, ProblemKind


class SubscriptionBody(Model):
    """What a subscriber gets of a topic.

    `received` says whether they get it, now or once a pause has ended, suppressions counted. The
    rest is null, or `every`, for a topic that they get without having asked for it.
    """

    received: bool
    status: Status | None = None
    frequency: Frequency = Frequency.EVERY
    paused_until: datetime | None = None
    changed_at: datetime | None = None
    source: Source | None = None
    channel: Annotated[str | None, Field(description="How consent was given.")] = None
    grounds: Annotated[str | None, Field(description="Why email may be sent.")] = None
    acquired_from: str | None = None
    consent_at: datetime | None = None


class SubscriberSuppressionBody(Model):
    """An unsubscribe from `all` topics, or from every email to the `address`."""

    scope: Scope
    since: datetime
    source: Source


class SubscriberBody(Model):
    """A subscriber. `topics` are those on record and those received, by slug."""

    id: UUID
    email: str | None
    locale: str | None
    created_at: datetime
    erased_at: datetime | None
    topics: dict[str, SubscriptionBody]
    suppressions: list[SubscriberSuppressionBody]


class ErasingBody(Model):
    """The address of a subscriber who is being erased.

    It is held until every webhook and every reader of the feed has acknowledged the erasure, until
    `waits_until` at most. It is null if it was not known.
    """

    email: str | None
    waits_until: datetime


class ShownSubscriberBody(SubscriberBody):
    """A subscriber, and what is held of one who is being erased."""

    erasing: ErasingBody | None


def show(
    session: Session, subscriber_id: UUID, now: datetime
) -> tuple[ShownSubscriberBody, dict[str, str]]:
    """Return what `read` returns, with the address of a subscriber who is being erased.

    Nothing else shows it. No answer that is stored may contain it.
    """
    body, headers = read(session, subscriber_id)
    held = unacknowledged.find(session, subscriber_id, now)
    erasing = ErasingBody(email=held.email, waits_until=held.until) if held is not None else None
    return ShownSubscriberBody(**dict(body), erasing=erasing), headers


def read(session: Session, subscriber_id: UUID) -> tuple[SubscriberBody, dict[str, str]]:
    """Return a subscriber, with the header `ETag`; raise Problem if there is none."""
    found = people.find(session, subscriber_id)
    if found is None:
        raise Problem(ProblemKind.UNKNOWN_SUBSCRIBER, id=str(subscriber_id))
    stops = sorted(found.suppressions.values(), key=lambda each: each.kind)
    body = SubscriberBody(
        id=found.subscriber_id,
        email=found.email,
        locale=found.locale,
        created_at=found.created_at,
        erased_at=found.erased_at,
        topics=dict(_topics(session, found)),
        suppressions=[
            SubscriberSuppressionBody(scope=each.kind, since=each.since, source=each.source)
            for each in stops
        ],
    )
    return body, {"ETag": f'"{found.seq}"'}


def _topics(session: Session, found: Subscriber) -> Iterator[tuple[str, SubscriptionBody]]:
    for topic in topics.list_topics(session):
        received = preferences.receives(found, topic)
        held = found.subscriptions.get(topic.slug)
        if held is not None:
            yield topic.slug, _subscription(held, received)
        elif received:
            yield topic.slug, SubscriptionBody(received=True)


def _subscription(held: Subscription, received: bool) -> SubscriptionBody:
    return SubscriptionBody(
        received=received,
        status=held.status,
        frequency=held.frequency,
        paused_until=held.paused_until,
        changed_at=held.changed_at,
        source=held.source,
        channel=held.consent_source,
        grounds=held.basis,
        acquired_from=held.acquired_from,
        consent_at=held.consent_at,
    )
