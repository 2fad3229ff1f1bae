"""The feed of events: what is announced to programs, and how far each has read."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.api_vocab import STOPS, EventName
from preference_center.store.tables.base import Base, Word, one_of

# Literal SQL: an engine uses a partial index only if a query has the same predicate.
UNNUMBERED = text("position IS NULL")
STOPPED = text("name IN ({})".format(", ".join(f"'{each.value}'" for each in STOPS)))


class EventRow(Base):
    """The announcement of one ledger row, written with it. The rest is read from that row.

    `position` is its place in the feed, which it gets after the commit. It has no foreign key,
    because the ledger row has one.
    """

    __tablename__ = "events"
    __table_args__ = (one_of("name", EventName),)

    subscriber_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[EventName] = mapped_column(Word(EventName, 24))
    recorded_at: Mapped[datetime]
    position: Mapped[int | None] = mapped_column(BigInteger)


class Feed(Base):
    """The last position in the feed. There is one row; its lock is held to give positions."""

    __tablename__ = "feed"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)


class FeedDay(Base):
    """The last position that was given on a day, in UTC."""

    __tablename__ = "feed_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class Consumer(Base):
    """The position up to which a program has fetched the feed with an API key, and since when.

    `acknowledged` is the position that its newest request has asked to go on from. `warned_at` is
    when staff were last told by email that the program is behind.
    """

    __tablename__ = "consumers"

    api_key: Mapped[UUID] = mapped_column(primary_key=True)
    acknowledged: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    fetched_at: Mapped[datetime]
    warned_at: Mapped[datetime | None]


class UnacknowledgedErasure(Base):
    """An erasure that some readers of the feed or webhooks have not acknowledged.

    `seq` is the number of its ledger row. `email` is the address, encrypted, while it is held for
    them. `missed_by` are the names, as JSON, of those that had not acknowledged it at `missed_at`.
    `warned_at` is when staff were told so by email.
    """

    __tablename__ = "unacknowledged_erasures"

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime]
    email: Mapped[str | None]
    missed_by: Mapped[str | None]
    missed_at: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]
