"""The outbox, claims, campaigns, and reasons for leaving."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.vocab import FetchKind, OutboxKind, OutboxState, ReasonCode
from preference_center.store.tables.base import Base, Slug, Word, one_of

# Literal SQL: an engine uses a partial index only if a query has the same predicate.
UNSETTLED = text("state IN ('pending', 'started')")
FAILED = text("state = 'failed'")


class OutboxRow(Base):
    """An email to be sent: about ledger rows `first_seq` to `last_seq`, or about `topic`.

    One about a complaint has its number in `first_seq` and `last_seq`. One to a member of staff has
    the member's id in `subscriber_id`.

    `due_at` is when the next attempt may begin, or when the worker's lease expires. `locale` is the
    language that was chosen for this email, or None. There is no foreign key to a subscriber:
    requesting a link must work the same for unknown addresses.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("kind", OutboxKind),
        one_of("state", OutboxState),
        Index(None, "settled_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[OutboxKind] = mapped_column(Word(OutboxKind))
    topic: Mapped[str] = mapped_column(Slug, server_default="")
    state: Mapped[OutboxState] = mapped_column(Word(OutboxState, 8))
    first_seq: Mapped[int]
    last_seq: Mapped[int]
    message_id: Mapped[str]
    created_at: Mapped[datetime]
    latest_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    lease: Mapped[UUID | None]
    settled_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    in_reply_to: Mapped[str | None]
    locale: Mapped[str | None]


class Fetch(Base):
    """Until when unsubscribes from a topic, or all of them if it is "", were fetched by a sender.

    Everything recorded before `seen_until` has been read by audience checks or exports of a kind.
    """

    __tablename__ = "fetches"
    __table_args__ = (one_of("kind", FetchKind),)

    kind: Mapped[FetchKind] = mapped_column(Word(FetchKind), primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    seen_until: Mapped[datetime]


class Claim(Base):
    """An email that a sender may send to one subscriber. Frequency caps count claims.

    `received` is how many emails of all topics were claimed for the subscriber within 30 days, with
    this one.
    """

    __tablename__ = "claims"
    __table_args__ = (
        Index(None, "subscriber_id", "claimed_at", "topic"),
        Index(None, "claimed_at"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    topic: Mapped[str] = mapped_column(ForeignKey("topics.slug"), primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    claimed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    received: Mapped[int]


class CampaignRow(Base):
    """A mailing, as its sender describes it; `name` is its campaign in links and claims.

    `sent` is how many emails were sent, or None. A report uses it if there were no claims.
    """

    __tablename__ = "campaigns"

    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    date: Mapped[date]
    sender: Mapped[str]
    sent: Mapped[int | None]


class Reason(Base):
    """Why a subscriber left, for ledger row `seq`."""

    __tablename__ = "reasons"
    __table_args__ = (
        one_of("code", ReasonCode),
        Index(None, "given_at"),
        Index(None, "campaign"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    given_at: Mapped[datetime]
    week: Mapped[date]
    topic: Mapped[str | None] = mapped_column(Slug)
    campaign: Mapped[str | None] = mapped_column(String(40))
    code: Mapped[ReasonCode] = mapped_column(Word(ReasonCode, 24))
    note: Mapped[str]


class AnonymizedReason(Base):
    """A reason without its subscriber; the campaign remains if at least five reasons share it."""

    __tablename__ = "anonymized_reasons"
    __table_args__ = (
        one_of("code", ReasonCode),
        Index(None, "week"),
        Index(None, "campaign"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    week: Mapped[date]
    topic: Mapped[str | None] = mapped_column(Slug)
    campaign: Mapped[str | None] = mapped_column(String(40))
    code: Mapped[ReasonCode] = mapped_column(Word(ReasonCode, 24))
    note: Mapped[str]
