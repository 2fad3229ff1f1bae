"""Failed mailings, counts by domain, quarantined messages, and inbound counts."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.store.tables.base import Base, Slug, Word, one_of


class FailedMailing(Base):
    """A UTC day on which an email to a subscriber finally failed. `topic` is "" if it is unknown.

    `ended_domain` is the address's domain if this failure suppressed the address. If the domain is
    held later, the suppression is removed and the failure counts as quarantined.
    """

    __tablename__ = "failed_mailings"
    __table_args__ = (
        one_of("severity", [each for each in BounceSeverity if each is not BounceSeverity.IGNORED]),
        Index(None, "day"),
    )

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    severity: Mapped[BounceSeverity] = mapped_column(
        Word(BounceSeverity),
        primary_key=True,
    )
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    code: Mapped[str] = mapped_column(String(16))
    ended_domain: Mapped[str | None]


class BounceCount(Base):
    """How many addresses of one domain were newly reported missing in one hour."""

    __tablename__ = "bounce_counts"
    __table_args__ = (Index(None, "hour"),)

    domain: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]


class ClaimCount(Base):
    """How many emails to one domain were claimed on one UTC day. Released ones stay counted."""

    __tablename__ = "claim_counts"
    __table_args__ = (Index(None, "day"),)

    domain: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    count: Mapped[int]


class QuarantineRow(Base):
    """An inbound message that could not be processed; the key is the SHA-256 of its bytes."""

    __tablename__ = "quarantined_messages"
    __table_args__ = (Index(None, "received_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    received_at: Mapped[datetime]
    why: Mapped[str]
    raw: Mapped[bytes]


class InboundSeen(Base):
    """An inbound message or event that was processed; the key is the digest of its name."""

    __tablename__ = "inbound_seen"
    __table_args__ = (Index(None, "seen_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    seen_at: Mapped[datetime]


class InboundCount(Base):
    """How often an effect occurred on one day (UTC) in one channel."""

    __tablename__ = "inbound_counts"

    day: Mapped[date] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    effect: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
