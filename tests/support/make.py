"""Helpers that create valid objects, with the changes that a test passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    anonymizing,
    consent,
    ledger,
    retention,
    subscribers,
    subscriptions,
    topics,
    work,
)
from preference_center.core.apply import apply_one
from preference_center.core.bounces import Bounce, RecordBounce
from preference_center.core.change import ADDRESS, ALL, ChangeContext, ChangeResult, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Draft
from preference_center.core.inbound_vocab import BounceEffect
from preference_center.core.joining import StartTopic
from preference_center.core.purging import Retention
from preference_center.core.state import Subscriber
from preference_center.core.subscriptions import Reduce
from preference_center.core.undo import Undo
from preference_center.core.vocab import (
    Cadence,
    Frequency,
    Pause,
    Scope,
    Source,
    Status,
    TopicPolicy,
    TopicVisibility,
)
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.links.minter import Minter
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.store.tables import Topic

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
LINK_KEY = "link-key-for-tests-4vB7mQ2xW9pL6sN3"
SERVER_KEY = "server-key-for-tests-8dF1kR5tY0zH7gJ2"
IDENTITY_KEY = "identity-key-for-tests-3cX6nM9bV2aS5"

RETENTION = Retention(
    outbox=timedelta(days=30),
    claims=timedelta(days=396),
    reason_identities=timedelta(days=90),
    reason_notes=timedelta(days=365),
    quarantine=timedelta(days=14),
    dedup=timedelta(days=14),
    domain_counts=timedelta(days=14),
    data_complaints=timedelta(days=730),
    audit=timedelta(days=730),
)

_SETTINGS = Settings(
    public_url="https://mail.example.org",
    link_keys=(LINK_KEY,),
    identity_key=IDENTITY_KEY,
    database_url="sqlite:///",
    server_keys=(SERVER_KEY,),
    smtp_url="smtp://localhost",
    mail_from="letters@example.org",
    brand_name="Northwind Letters",
    postal_address="1 Example Street, 1000 Exampletown",
    contact="help@example.org",
)


def settings(**changes: Any) -> Settings:
    return replace(_SETTINGS, **changes)


def database(url: str, **changes: Any) -> Database:
    """Return the database at `url`, with the keys of `settings`."""
    values: dict[str, Any] = {"identity_key": IDENTITY_KEY, "link_keys": (LINK_KEY,), **changes}
    return Database(url, values.pop("server_keys", (SERVER_KEY,)), **values)


def environment(**changes: str) -> dict[str, str]:
    """Return environment variables for valid settings; `""` omits one."""
    values = {
        "DATABASE_URL": "sqlite:///test.db",
        "PUBLIC_URL": "https://mail.example.org",
        "LINK_KEYS": LINK_KEY,
        "SERVER_KEYS": SERVER_KEY,
        "IDENTITY_KEY": IDENTITY_KEY,
        **changes,
    }
    return {f"PREFERENCE_CENTER_{name}": value for name, value in values.items() if value}


def minter(**changes: Any) -> Minter:
    values: dict[str, Any] = {
        "public_url": "https://mail.example.org",
        "link_keys": (LINK_KEY,),
        "identity_key": IDENTITY_KEY,
        **changes,
    }
    return Minter(**values)


def id_of(email: str = "ada@example.org") -> UUID:
    """Return the subscriber id of an address."""
    return minter().subscriber_id(email)


def topic(session: Session, slug: str = "weekly-news", **changes: Any) -> Topic:
    """Add a topic; policy, cadence and visibility may be strings."""
    words = (("policy", TopicPolicy), ("cadence", Cadence), ("visibility", TopicVisibility))
    for name, vocabulary in words:
        if name in changes:
            changes[name] = vocabulary(changes[name])
    new = topics.NewTopic(slug, changes.pop("name", topics.name_from_slug(slug)))
    return topics.add(session, replace(new, **changes), NOW)


@contextmanager
def drafted(
    session: Session, email: str = "ada@example.org", at: datetime = NOW
) -> Iterator[Draft]:
    """Yield a draft with all topics and the whole ledger; write it when the block ends."""
    subscriber_id, known = id_of(email), {each.slug: each for each in topics.list_topics(session)}
    if work.on_record(session, [subscriber_id]):
        draft = work.load(session, [subscriber_id], known)[subscriber_id]
    else:
        draft = work.new_drafts(session, [subscriber_id], known, at)[subscriber_id]
    draft.entries = ledger.load(session, subscriber_id, 1)
    yield draft
    work.write(session, [draft], at)


def subscriber(
    session: Session,
    email: str = "ada@example.org",
    *slugs: str,
    since: datetime = NOW - timedelta(days=400),
    status: Status = Status.SUBSCRIBED,
    **fields: Any,
) -> Subscriber:
    """Record a subscriber with a known address, subscribed to `slugs`.

    `fields` are those of each subscription.
    """
    subscribers.upsert_addresses(session, {id_of(email): email}, since)
    named = slugs or ("weekly-news",)
    topics.ensure(session, set(named), since)
    context = ChangeContext(Source.IMPORT, since, since)
    with drafted(session, email, since) as draft:
        for slug in named:
            subscription = consent.new_subscription(slug, status, context)
            subscription = replace(subscription, consent_at=since, **fields)
            consent.record_subscription(draft, subscription, context)
    return found(session, email)


def found(session: Session, email: str = "ada@example.org") -> Subscriber:
    """Return a subscriber who is on record."""
    subscriber = subscribers.find(session, id_of(email))
    assert subscriber is not None
    return subscriber


def set_details(session: Session, person: str = "ada@example.org", /, **fields: Any) -> None:
    """Set the address or the language that is on record of a subscriber."""
    with drafted(session, person) as draft:
        for name, value in fields.items():
            setattr(draft.subscriber, name, value)


def context(source: Source = Source.PAGE, at: datetime = NOW, **changes: Any) -> ChangeContext:
    """Return the context of a change made and recorded at one time; sources may be strings."""
    if changes.get("original_source") is not None:
        changes["original_source"] = Source(changes["original_source"])
    return replace(ChangeContext(Source(source), at, at), **changes)


def unsubscribe(
    session: Session,
    email: str = "ada@example.org",
    slug: str | None = "weekly-news",
    scope: Scope = Scope.ALL,
    **changes: Any,
) -> ChangeResult:
    """Unsubscribe from one topic, or from `scope` if `slug` is None."""
    target = Target.of(slug) if slug is not None else Target(Scope(scope))
    change = Unsubscribe(id_of(email), target, context(**changes))
    return apply_one(session, change, NOW)


def spooled(
    email: str = "ada@example.org", slug: str | None = "weekly-news", **changes: Any
) -> SpooledUnsubscribe:
    """Return a one-click unsubscribe as it is spooled, acknowledged at NOW."""
    values: dict[str, Any] = {"source": Source.ONE_CLICK, "acknowledged_at": NOW, **changes}
    return SpooledUnsubscribe(subscriber_id=id_of(email), target=Target.of(slug), **values)


def reduce(
    session: Session,
    choice: Frequency | Pause,
    email: str = "ada@example.org",
    slug: str = "weekly-news",
    **changes: Any,
) -> ChangeResult:
    """Cap or pause one topic."""
    return apply_one(session, Reduce(id_of(email), slug, choice, context(**changes)), NOW)


def set_frequency(
    session: Session,
    frequency: Frequency,
    email: str = "ada@example.org",
    slug: str = "weekly-news",
    **changes: Any,
) -> ChangeResult:
    """Cap one topic, or change or remove its cap."""
    with drafted(session, email) as draft:
        return subscriptions.set_frequency(draft, slug, frequency, context(**changes))


def resume(
    session: Session, email: str = "ada@example.org", slug: str = "weekly-news", **changes: Any
) -> ChangeResult:
    """End the pause of one topic."""
    with drafted(session, email) as draft:
        return subscriptions.resume(draft, slug, context(**changes))


def start_topic(
    session: Session,
    email: str = "ada@example.org",
    slug: str = "weekly-news",
    asked_at: datetime | None = None,
    **changes: Any,
) -> ChangeResult:
    """Start one topic by a confirm link, requested at `asked_at` or at the time of the change."""
    change = context(**changes)
    started = StartTopic(id_of(email), slug, asked_at or change.recorded_at, change)
    return apply_one(session, started, change.recorded_at)


def undo(
    session: Session, first: int, last: int, email: str = "ada@example.org", **changes: Any
) -> ChangeResult:
    """Undo ledger rows of one subscriber."""
    return apply_one(session, Undo(id_of(email), first, last, context(**changes)), NOW)


def events(session: Session, email: str = "ada@example.org") -> list[tuple[str, str | None]]:
    """Return one subscriber's ledger events, each with its topic or scope."""
    entries = ledger.load(session, id_of(email), 1)
    return [(each.event, each.topic or each.scope) for each in entries]


def anonymize_reasons(session: Session, now: datetime, keep: Retention = RETENTION) -> int:
    """Anonymize a batch of the reasons that have expired at `now`."""
    return anonymizing.anonymize(session, now - keep.reason_identities)


def purge(session: Session, step: str, now: datetime, keep: Retention = RETENTION) -> int:
    """Run one step of a purge by its name, and return the number of rows deleted."""
    (found,) = (each for each in retention.STEPS if each.name == step)
    return found.run(session, keep, now)


def bounce(
    session: Session, bounced: Bounce, at: datetime = NOW, email: str = "ada@example.org"
) -> BounceEffect:
    """Record a bounce of one subscriber."""
    return apply_one(session, RecordBounce(id_of(email), bounced, at), at)


TARGETS = (*map(Target.of, ("weekly-news", "offers")), ALL, ADDRESS)
