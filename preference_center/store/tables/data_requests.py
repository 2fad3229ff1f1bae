"""What subscribers ask of the operator: complaints about the use of data, corrected addresses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.store.tables.base import Base


class DataComplaint(Base):
    """What a subscriber complains about: how data about them are used.

    `number` counts the complaints of one subscriber from 1. An erasure empties `text`, and deletes
    `outcome`, which is what the subscriber was told in the end.
    """

    __tablename__ = "data_complaints"
    __table_args__ = (Index(None, "received_at"),)

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    received_at: Mapped[datetime]
    text: Mapped[str]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    outcome: Mapped[str | None]


class LinkedSubscriber(Base):
    """Another subscriber who is the same person: their address was corrected.

    Each of the two has a row. There is no foreign key to the other one, because the two may be on
    different servers of a sharded engine.
    """

    __tablename__ = "linked_subscribers"

    subscriber_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscribers.subscriber_id"), primary_key=True
    )
    other_id: Mapped[UUID] = mapped_column(primary_key=True)
    other_is_newer: Mapped[bool]
    linked_at: Mapped[datetime]
    linked_by: Mapped[str]
    note: Mapped[str]
