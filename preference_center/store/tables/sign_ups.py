"""Sign-ups that wait for a confirmation, and what limits the emails that anyone can request."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.store.tables.base import Base


class SignUpRow(Base):
    """A request for some topics, which the owner of the address has yet to confirm.

    `topics` are slugs, separated by spaces. `wording` is what the form said, or None if that is not
    known. `seq` is the newest ledger row of the subscriber at that moment, 0 if there was none.
    There is no foreign key to a subscriber: there may be none before the confirmation.
    """

    __tablename__ = "sign_ups"
    __table_args__ = (Index(None, "requested_at"),)

    subscriber_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    topics: Mapped[str]
    locale: Mapped[str | None] = mapped_column(String(16))
    wording: Mapped[bytes | None] = mapped_column(ForeignKey("wordings.digest"))
    form_url: Mapped[str]
    seq: Mapped[int]
    requested_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class MailboxRequest(Base):
    """When the last three emails were requested for one mailbox, the newest in `third_at`.

    `mailbox` is the fingerprint of the address without what providers ignore, so that variants of
    an address share one limit.
    """

    __tablename__ = "mailbox_requests"
    __table_args__ = (Index(None, "third_at"),)

    mailbox: Mapped[UUID] = mapped_column(primary_key=True)
    first_at: Mapped[datetime | None]
    second_at: Mapped[datetime | None]
    third_at: Mapped[datetime]


class SignUpHour(Base):
    """How many sign-ups of unknown addresses were sent in one hour, and how many had to wait."""

    __tablename__ = "sign_up_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    sent: Mapped[int]
    held: Mapped[int]
    warned_at: Mapped[datetime | None]
