"""Counts by day or week, which name no subscriber."""

from datetime import date

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.vocab import Event, Scope, Source
from preference_center.store.tables.base import Base, Slug, Word, one_of

# Literal SQL: an engine uses a partial index only if a query has the same predicate.
UNFOLDED, FOLDED = text("slot <> 0"), text("slot = 0")


class LedgerCount(Base):
    """How many ledger rows were recorded on one UTC day; "" if there is no topic or campaign.

    A connection adds to the row of its slot, so that writers do not wait for each other. The count
    is the sum over the slots. Those of past days are moved into slot 0.
    """

    __tablename__ = "ledger_counts"
    __table_args__ = (
        one_of("event", Event),
        one_of("scope", Scope),
        one_of("source", Source),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    event: Mapped[Event] = mapped_column(Word(Event), primary_key=True)
    scope: Mapped[Scope] = mapped_column(Word(Scope, 8), primary_key=True)
    source: Mapped[Source] = mapped_column(Word(Source), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]


class LedgerDayCount(Base):
    """The sums of slot 0 of LedgerCount over all topics and campaigns."""

    __tablename__ = "ledger_day_counts"
    __table_args__ = (
        one_of("event", Event),
        one_of("scope", Scope),
        one_of("source", Source),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    event: Mapped[Event] = mapped_column(Word(Event), primary_key=True)
    scope: Mapped[Scope] = mapped_column(Word(Scope, 8), primary_key=True)
    source: Mapped[Source] = mapped_column(Word(Source), primary_key=True)
    count: Mapped[int]


class LedgerWeekCount(Base):
    """The sums of slot 0 of LedgerCount over the days of a week, which begins on Monday."""

    __tablename__ = "ledger_week_counts"
    __table_args__ = (
        one_of("event", Event),
        one_of("scope", Scope),
        one_of("source", Source),
    )

    week: Mapped[date] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    event: Mapped[Event] = mapped_column(Word(Event), primary_key=True)
    scope: Mapped[Scope] = mapped_column(Word(Scope, 8), primary_key=True)
    source: Mapped[Source] = mapped_column(Word(Source), primary_key=True)
    count: Mapped[int]


class SubscriberCount(Base):
    """How many more subscribers received a topic, or any topic if it is "", after one UTC day.

    `frequency` is what they chose for the topic, and "" for any topic. The sum over all days until
    one is how many received it then. Slots are summed.
    """

    __tablename__ = "subscriber_counts"

    day: Mapped[date] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    frequency: Mapped[str] = mapped_column(String(16), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]


class EmailedCount(Base):
    """How many emails were claimed on one UTC day, less those released. Slots are summed."""

    __tablename__ = "emailed_counts"

    day: Mapped[date] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]


class ReceivedCount(Base):
    """How many emails were claimed on one UTC day, less those released, or how many unsubscribed.

    `received` is how many emails the subscriber was sent within 30 days. Slots are summed.
    """

    __tablename__ = "received_counts"
    __table_args__ = (one_of("received", EmailsReceived),)

    day: Mapped[date] = mapped_column(primary_key=True)
    received: Mapped[EmailsReceived] = mapped_column(Word(EmailsReceived, 8), primary_key=True)
    unsubscribed: Mapped[bool] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]


class PageView(Base):
    """How often the pages behind a campaign's links were viewed on one UTC day."""

    __tablename__ = "page_views"

    day: Mapped[date] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int]
