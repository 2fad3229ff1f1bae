"""The tables. What is written for a person is found by that person: every key says who first."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
)

# Written out, not bound: an engine uses a partial index only where it sees the same predicate.
PENDING = text("state = 'pending'")
UNSETTLED = text("state IN ('pending', 'started')")

# Byte order on both engines, so that an export is the same whatever the server's locale.
Slug = String(32).with_variant(String(32, collation="C"), "postgresql")


class Utc(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite would drop the offset, so it goes in and out as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time needs its zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can find it on both engines."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Utc, str: Text}  # noqa: RUF012 (SQLAlchemy's own spelling)


class Topic(Base):
    """Something a person can leave by itself. `policy` says what silence means.

    `cadence` is how often it is sent: only caps below it are worth offering.
    """

    __tablename__ = "topics"
    __table_args__ = (
        CheckConstraint("policy IN ('opt_in', 'opt_out')", name="policy"),
        CheckConstraint("opt_in IN ('single', 'double')", name="opt_in"),
        CheckConstraint("cadence IN ('irregular', 'weekly', 'monthly')", name="cadence"),
    )

    slug: Mapped[str] = mapped_column(Slug, primary_key=True)
    policy: Mapped[str] = mapped_column(String(8))
    opt_in: Mapped[str] = mapped_column(String(8))
    cadence: Mapped[str] = mapped_column(String(16), server_default="irregular")
    public: Mapped[bool]
    confirm: Mapped[bool]
    code: Mapped[bytes | None] = mapped_column(LargeBinary(5), unique=True)
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]

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
    """What a person agreed to, word for word, found by the SHA-256 of the text."""

    __tablename__ = "wordings"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    text: Mapped[str]


class Subscriber(Base):
    """A person, known by the fingerprint of the address. This row is the lock on all of theirs."""

    __tablename__ = "subscribers"
    __table_args__ = (Index(None, "email"),)

    subscriber_id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    locale: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    seq: Mapped[int]
    head: Mapped[bytes] = mapped_column(LargeBinary(32))

    subscriptions: Mapped[dict[str, "Subscription"]] = relationship(
        collection_class=attribute_keyed_dict("topic"), cascade="all, delete-orphan"
    )
    suppressions: Mapped[dict[str, "Suppression"]] = relationship(
        collection_class=attribute_keyed_dict("kind"), cascade="all, delete-orphan"
    )


class Subscription(Base):
    """What one person gets of one topic. `updated_at` is when its effect last changed.

    `frequency` caps it, `paused_until` holds it back; a stop beats both.

    `reaffirmed_at`: a stop that stood already was said again, so undoing the first would lose it.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("status IN ('subscribed', 'unsubscribed', 'unconfirmed')", name="status"),
        CheckConstraint("frequency IN ('every', 'weekly', 'monthly')", name="frequency"),
        Index(None, "topic", "subscriber_id"),
        Index(None, "updated_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    topic: Mapped[str] = mapped_column(ForeignKey("topics.slug"), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    frequency: Mapped[str] = mapped_column(String(16))
    paused_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(16))
    basis: Mapped[str]
    acquired_from: Mapped[str]
    consent_at: Mapped[datetime | None]
    consent_source: Mapped[str]
    consent_wording: Mapped[bytes | None] = mapped_column(ForeignKey("wordings.digest"))
    updated_at: Mapped[datetime]
    reaffirmed_at: Mapped[datetime | None]


class Suppression(Base):
    """A stop above all topics: `all` of them, or the `address`, receipts included."""

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint("kind IN ('all', 'address')", name="kind"),
        Index(None, "kind", "since"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    since: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(16))
    updated_at: Mapped[datetime]
    reaffirmed_at: Mapped[datetime | None]


class LedgerRow(Base):
    """One change, never altered: its hash covers the row before it and the digest of details."""

    __tablename__ = "ledger"
    __table_args__ = (Index(None, "topic", "occurred_at"), Index(None, "recorded_at"))

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str] = mapped_column(String(8))
    topic: Mapped[str | None] = mapped_column(Slug)
    source: Mapped[str] = mapped_column(String(16))
    campaign: Mapped[str | None] = mapped_column(String(40))
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    wording: Mapped[bytes | None] = mapped_column(ForeignKey("wordings.digest"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class LedgerDetail(Base):
    """What a change touched, before and after, as canonical JSON. Erasing it breaks no chain."""

    __tablename__ = "ledger_details"

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    before: Mapped[str]
    after: Mapped[str]


class OutboxRow(Base):
    """A mail to be sent: about the ledger rows `first_seq` to `last_seq`, or to join `topic`.

    `pending` rows gather changes; a worker's claim makes a row `started`, and it ends as `sent`,
    `failed` or `dropped`. `due_at` is when the next attempt may begin, or when a claim lapses.
    It points at no subscriber: asking for a link must look the same for an address never seen.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'started', 'sent', 'failed', 'dropped')", name="state"
        ),
        Index(
            "uq_outbox_pending",
            "subscriber_id",
            "kind",
            "topic",
            unique=True,
            postgresql_where=PENDING,
            sqlite_where=PENDING,
        ),
        Index("ix_outbox_due", "due_at", postgresql_where=UNSETTLED, sqlite_where=UNSETTLED),
        Index(None, "settled_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str] = mapped_column(Slug, server_default="")
    state: Mapped[str] = mapped_column(String(8))
    first_seq: Mapped[int]
    last_seq: Mapped[int]
    message_id: Mapped[str]
    created_at: Mapped[datetime]
    latest_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    claim: Mapped[UUID | None]
    settled_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    in_reply_to: Mapped[str | None]


class Claim(Base):
    """One mail that one person may be sent: what a cap counts. A cancelled mailing releases it."""

    __tablename__ = "claims"
    __table_args__ = (
        Index(None, "subscriber_id", "topic", "claimed_at"),
        Index(None, "claimed_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    topic: Mapped[str] = mapped_column(ForeignKey("topics.slug"), primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    claimed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]


class Reason(Base):
    """Why a person left, in answer to ledger row `seq`. It loses the person after 90 days."""

    __tablename__ = "reasons"
    __table_args__ = (Index(None, "given_at"), Index(None, "campaign"))

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    given_at: Mapped[datetime]
    week: Mapped[date]
    topic: Mapped[str | None] = mapped_column(Slug)
    campaign: Mapped[str | None] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(24))
    note: Mapped[str]


class PastReason(Base):
    """A reason without its person: its week, and its campaign where at least five share it."""

    __tablename__ = "past_reasons"
    __table_args__ = (Index(None, "week"), Index(None, "campaign"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    week: Mapped[date]
    topic: Mapped[str | None] = mapped_column(Slug)
    campaign: Mapped[str | None] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(24))
    note: Mapped[str]


class Opening(Base):
    """How often a mailing's links were opened in one hour: no person, no link."""

    __tablename__ = "openings"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int]


class SoftBounce(Base):
    """A day on which mail to somebody failed, for a reason that may pass."""

    __tablename__ = "soft_bounces"
    __table_args__ = (Index(None, "day"),)

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16))


class BounceCount(Base):
    """How many addresses of one domain failed for good in one hour: a jump is not believed."""

    __tablename__ = "bounce_counts"
    __table_args__ = (Index(None, "hour"),)

    domain: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]


class UnreadMail(Base):
    """A message that came in and that nobody understood, by the SHA-256 of its bytes."""

    __tablename__ = "unread_mails"
    __table_args__ = (Index(None, "received_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    received_at: Mapped[datetime]
    why: Mapped[str]
    raw: Mapped[bytes]


class InboundSeen(Base):
    """A mail or a provider's event that came in, by the digest of its name: it counts once."""

    __tablename__ = "inbound_seen"
    __table_args__ = (Index(None, "seen_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    seen_at: Mapped[datetime]


class InboundCount(Base):
    """How often what came in through a door on one day did a thing: no person, no message."""

    __tablename__ = "inbound_counts"

    day: Mapped[date] = mapped_column(primary_key=True)
    door: Mapped[str] = mapped_column(String(16), primary_key=True)
    effect: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


def row_values(row: Base) -> dict[str, Any]:
    """Return a row's columns by name."""
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
