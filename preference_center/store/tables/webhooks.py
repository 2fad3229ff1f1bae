"""Outgoing webhooks: where they go, and what is still to be delivered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.api_vocab import WebhookState
from preference_center.store.tables.base import Base, Word, one_of


class WebhookRow(Base):
    """A receiver of events.

    Each event up to `position` in the feed has become a delivery, if `event_names` has its name;
    "" has all. `secrets` is encrypted. `held_until` is until when the receiver gets no request.
    `last_result` is what came of the attempt at `last_attempt_at`: of an answer, only its status.
    `warned_at` is when staff were last told by email that events are not accepted.
    """

    __tablename__ = "webhooks"
    __table_args__ = (one_of("state", WebhookState),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(unique=True)
    secrets: Mapped[str]
    event_names: Mapped[str]
    created_at: Mapped[datetime]
    state: Mapped[WebhookState] = mapped_column(Word(WebhookState, 8))
    position: Mapped[int] = mapped_column(BigInteger)
    failing_since: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    last_result: Mapped[str | None]
    warned_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """An event that a webhook has not accepted yet, or a test.

    `about` is the subscriber. There are no foreign keys, because the table is not divided by
    subscriber on a sharded engine; rows are added, and webhooks deleted, under the same lock.
    `due_at` is when the next attempt may begin, or when the worker's lease expires. `failed_at` is
    set after the last attempt.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "webhook_id", "due_at"), Index(None, "webhook_id", "position"))

    webhook_id: Mapped[UUID] = mapped_column(primary_key=True)
    about: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    lease: Mapped[UUID | None]
    failed_at: Mapped[datetime | None]
