"""Topics, subscribers, their preferences, and the ledger."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, false, text
from sqlalchemy.orm import Mapped, attribute_keyed_dict, mapped_column, relationship

from preference_center.core.vocab import (
    SUPPRESSION_SCOPES,
    Cadence,
    Event,
    Frequency,
    Scope,
    Source,
    Status,
    TopicPolicy,
    TopicVisibility,
)
from preference_center.store.tables.base import Base, Slug, Word, one_of

# Literal SQL: an engine uses a partial index only if a query has the same predicate.
UNSUBSCRIBED = text("event = 'unsubscribed' AND source NOT IN ('import', 'bounce')")
ASKED_FOR_LESS = text(
    "event IN ('reduced', 'paused') AND source IN ('page', 'one-click', 'mailto')"
)


class Topic(Base):
    """A kind of email that can be left separately. `policy` says what silence means.

    `cadence` is how often it is sent: only caps below it are worth offering. `change_notices` says
    whether changes are confirmed by email. `position` is its place in lists; without one, a topic
    comes after those that have one.
    """

    __tablename__ = "topics"
    __table_args__ = (
        one_of("policy", TopicPolicy),
        one_of("cadence", Cadence),
        one_of("visibility", TopicVisibility),
    )

    slug: Mapped[str] = mapped_column(Slug, primary_key=True)
    policy: Mapped[TopicPolicy] = mapped_column(Word(TopicPolicy, 8))
    cadence: Mapped[Cadence] = mapped_column(Word(Cadence), server_default=Cadence.IRREGULAR)
    visibility: Mapped[TopicVisibility] = mapped_column(Word(TopicVisibility, 8))
    change_notices: Mapped[bool]
    code: Mapped[bytes | None] = mapped_column(LargeBinary(5), unique=True)
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    position: Mapped[int | None]

    texts: Mapped[dict[str, "TopicText"]] = relationship(
        collection_class=attribute_keyed_dict("locale")
    )


class TopicText(Base):
    """A topic's name and description in one language."""

    __tablename__ = "topic_texts"

    topic: Mapped[str] = mapped_column(ForeignKey("topics.slug"), primary_key=True)
    locale: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str]
    description: Mapped[str]


class Wording(Base):
    """The exact text that subscribers agreed to; the key is its SHA-256."""

    __tablename__ = "wordings"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    text: Mapped[str]


class SubscriberRow(Base):
    """A person, identified by the fingerprint of the address. The row's lock covers all their data.

    `delivered_on` is the latest day on which a provider reported a delivery. `seq` and `head` are
    the number and the hash of the newest ledger row. `explicit_from` is the ledger row from which
    on silence means no, also where a topic's policy is `opt_out`; 0 if an import says so, and None
    if there is none. `is_spelling` is true for the id of another spelling of an address, under
    which an import has recorded the person's unsubscribe too.
    """

    __tablename__ = "subscribers"
    __table_args__ = (Index(None, "email"),)

    subscriber_id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    locale: Mapped[str | None] = mapped_column(String(16))
    delivered_on: Mapped[date | None]
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    seq: Mapped[int]
    head: Mapped[bytes] = mapped_column(LargeBinary(32))
    explicit_from: Mapped[int | None]
    is_spelling: Mapped[bool] = mapped_column(server_default=false())


class SubscriptionRow(Base):
    """What one subscriber gets of one topic. `updated_at` is when its effect last changed.

    `frequency` is a cap. `repeated_at` is when an unsubscribe was repeated through another channel;
    undoing the first one must not lift the repeat.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        one_of("status", Status),
        one_of("frequency", Frequency),
        one_of("source", Source),
        Index(None, "topic", "subscriber_id"),
        Index(None, "updated_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    topic: Mapped[str] = mapped_column(ForeignKey("topics.slug"), primary_key=True)
    status: Mapped[Status] = mapped_column(Word(Status))
    frequency: Mapped[Frequency] = mapped_column(Word(Frequency))
    paused_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    source: Mapped[Source] = mapped_column(Word(Source))
    basis: Mapped[str]
    acquired_from: Mapped[str]
    consent_at: Mapped[datetime | None]
    consent_source: Mapped[str]
    consent_wording: Mapped[bytes | None] = mapped_column(ForeignKey("wordings.digest"))
    updated_at: Mapped[datetime]
    repeated_at: Mapped[datetime | None]


class SuppressionRow(Base):
    """An unsubscribe from `all` topics, or from every email to the `address`."""

    __tablename__ = "suppressions"
    __table_args__ = (
        one_of("kind", SUPPRESSION_SCOPES),
        one_of("source", Source),
        Index(None, "kind", "since"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    kind: Mapped[Scope] = mapped_column(Word(Scope, 8), primary_key=True)
    since: Mapped[datetime]
    source: Mapped[Source] = mapped_column(Word(Source))
    updated_at: Mapped[datetime]
    repeated_at: Mapped[datetime | None]


class LedgerRow(Base):
    """One change. Its hash covers the previous row and the digest of the details."""

    __tablename__ = "ledger"
    __table_args__ = (
        one_of("event", Event),
        one_of("scope", Scope),
        one_of("source", Source),
        Index(None, "topic", "occurred_at"),
        Index(None, "recorded_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event: Mapped[Event] = mapped_column(Word(Event))
    scope: Mapped[Scope] = mapped_column(Word(Scope, 8))
    topic: Mapped[str | None] = mapped_column(Slug)
    source: Mapped[Source] = mapped_column(Word(Source))
    campaign: Mapped[str | None] = mapped_column(String(40))
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    wording: Mapped[bytes | None] = mapped_column(ForeignKey("wordings.digest"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class LedgerDetail(Base):
    """What a change affected, before and after, as canonical JSON. It can be erased on its own."""

    __tablename__ = "ledger_details"

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    before: Mapped[str]
    after: Mapped[str]
