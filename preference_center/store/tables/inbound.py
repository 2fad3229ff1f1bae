"""What came in from mail systems, and what it amounts to."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.store.tables.base import Base


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
